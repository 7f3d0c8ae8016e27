"""Dynamics whose exponents are known beforehand: linear maps, contractions, a chaotic map, and states that are gone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor, nn

from unrolled.batch import Batch, Continuous, Discrete
from unrolled.errors import DataError, UsageError
from unrolled.inspection.dynamics import Dynamics, dynamics, exponents
from unrolled.inspection.step_map import StepMap, layer_inputs
from unrolled.layers.factory import model_names
from unrolled.layers.recurrent import Recurrent
from unrolled.models.network import Network

STEPS = 160


class Linear(nn.Module):
    """h_t = A h_{t-1} + x_t."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.input_size = self.hidden_size = len(matrix)
        self.matrix = nn.Parameter(matrix)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = h @ self.matrix.T + x
        return h, h

    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return like.new_zeros(batch, self.hidden_size)


class Logistic(Linear):
    """h_t = 4 h_{t-1} (1 - h_{t-1}): chaotic, λ = log 2."""

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = 4 * h * (1 - h)
        return h, h

    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return like.new_full((batch, 1), 0.3)


def turned(values: list[float]) -> Tensor:
    """A matrix with these eigenvalues and eigenvectors that are not orthogonal."""
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(len(values), len(values)))[0] + 0.1 * torch.randn(len(values), len(values))
    return basis @ torch.diag(torch.tensor(values)) @ torch.linalg.inv(basis)


def network(model: str, layer: Any = None, size: int = 7, **sizes: int) -> Network:
    torch.manual_seed(0)
    made = Network({"ids": Discrete(size)}, model_config(name=model, **{"hidden": 6, **sizes}), outputs=7, pooled=False)
    made.layer = made.layer if layer is None else layer
    return made


def row(steps: int = STEPS, size: int = 7) -> Batch:
    ids = torch.randint(size, (1, steps), generator=torch.Generator().manual_seed(1))
    return Batch({"ids": ids}, torch.tensor([steps]), torch.tensor([0]))


def along(layer: Any, steps: int = STEPS) -> tuple[tuple[float, ...], float, int | None, int]:
    inputs = torch.randn(steps, layer.input_size, generator=torch.Generator().manual_seed(1))
    step = StepMap(layer)
    return exponents(step, step.run(inputs), inputs)


def test_the_exponents_of_a_linear_map_are_the_logarithms_of_its_eigenvalues() -> None:
    values = [1.1, -0.9, 0.5, 0.2]
    found, error, gone, counted = along(Recurrent(4, 4, cell=Linear(turned(values))))
    assert found == pytest.approx([math.log(abs(value)) for value in values], abs=1e-5)
    assert (gone, counted) == (None, 120) and error < 1e-5


def test_in_a_stack_the_exponents_are_those_of_all_layers() -> None:
    upper, lower = turned([0.95, 0.3]), turned([0.8, 0.6])
    found, *_ = along(Recurrent(2, 2, cell=[Linear(lower), Linear(upper)]))
    assert found == pytest.approx([math.log(value) for value in (0.95, 0.8, 0.6, 0.3)], abs=1e-5)


def test_a_mingru_has_the_mean_logarithms_of_its_gates() -> None:
    layer = Recurrent(3, 4, cell="mingru")
    inputs = torch.randn(STEPS, 3, generator=torch.Generator().manual_seed(1))
    kept, _ = layer.layers[0][0].terms(inputs[STEPS // 4 :])  # type: ignore[attr-defined]
    expected = kept.detach().log().mean(0).sort(descending=True).values
    assert along(layer)[0] == pytest.approx(expected.tolist(), abs=1e-3)


def test_a_contraction_has_no_exponent_above_its_gain() -> None:
    layer = Recurrent(5, 5, cell="rnn")
    cell: Any = layer.layers[0][0]
    cell.weight_hh.data = 0.8 * torch.linalg.qr(torch.randn(5, 5))[0]
    found, *_ = along(layer)
    assert len(found) == 5 and max(found) <= math.log(0.8) + 1e-9


def test_a_chaotic_map_is_called_chaotic() -> None:
    found = dynamics(network("rnn", Recurrent(6, 1, cell=_logistic()), hidden=1, embedding=6), row(400))
    assert found.exponents == pytest.approx([math.log(2)], abs=0.05)
    assert found.verdicts[0].startswith(
        "λ1 > 0, chaotic: small changes of the state grow by e in about 1 step (λ1 = 0."
    )


def _logistic() -> Logistic:
    cell = Logistic(torch.ones(1, 1))
    cell.input_size = 6
    return cell


def test_convolutions_of_several_reaches_forget_exactly() -> None:
    found, _, gone, _ = along(network("tcn", layers=2).layer)
    assert gone is not None and gone < 40 and {*found} == {-math.inf}


def test_a_window_forgets_exactly() -> None:
    found = dynamics(network("window"), row())
    assert found.exponents[0] == -math.inf and found.gone == 15
    assert found.verdicts[0] == (
        "a small change of the state is gone after 15 steps: it holds only what it read in them"
    )


def test_the_spectrum_of_a_step_is_that_of_its_matrix() -> None:
    values = [0.99, 0.95, -0.5, 0.1]
    found = dynamics(network("rnn", Recurrent(4, 4, cell=Linear(turned(values))), hidden=4, embedding=4), row())
    assert [one.step for one in found.spectra] == [40, 80, 119]
    assert found.spectra[0].real == pytest.approx(values, abs=1e-5)
    assert (found.spectra[0].slow, found.spectra[0].growing, found.size) == (2, 0, 4)
    assert found.verdicts[:2] == (
        "small changes of the state fade to 1/e in about 93 steps (λ1 = -0.011 ± 0.0004 a step, over 120 steps)",
        "in one step, 2 of 4 directions of the state keep more than 90% of a change, and 0 let it grow (at the steps 40, 80, 119): these carry what lasts",
    )


def test_a_change_that_outlasts_the_row_is_said_to_last() -> None:
    found = dynamics(network("rnn", Recurrent(4, 4, cell=Linear(0.9999 * torch.eye(4))), hidden=4, embedding=4), row())
    assert found.verdicts[0].startswith("small changes of the state neither fade nor grow to speak of (λ1 = -0.0001 ")


@pytest.mark.parametrize("model", [name for name in model_names() if not name.startswith("bi") and name != "mlp"])
def test_every_model_with_a_state_has_dynamics_and_keeps_its_weights(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SETTLE", "_DESCENT", "_NEWTON"):  # the search has its own tests
        monkeypatch.setattr(f"unrolled.inspection.fixed_points.{name}", 3)
    looked = network(model, layers=2)
    if model == "transformer":
        with pytest.raises(UsageError, match="the state of this model grows with every step"):
            dynamics(looked, row(40))
        return
    before = {name: value.clone() for name, value in looked.state_dict().items()}
    found = dynamics(looked, row(40))
    assert all(torch.equal(value, before[name]) for name, value in looked.state_dict().items())
    assert found.exponents == tuple(sorted(found.exponents, reverse=True)) and len(found.exponents) <= 8
    assert looked.training and all(found.verdicts)


def test_the_states_are_those_of_the_network() -> None:
    looked = network("lstm", layers=2).eval()
    inputs = layer_inputs(looked, row(12))
    states = StepMap(looked.layer).run(inputs)
    with torch.no_grad():
        _, after = looked.layer(inputs[None].float())
    assert torch.cat([*after[0], *after[1]], 1)[0].double().numpy() == pytest.approx(states[-1].numpy(), abs=1e-6)


def test_the_derivative_is_that_of_autograd() -> None:
    step = StepMap(Recurrent(3, 4, cell="lstm", num_layers=2))
    state, x = torch.randn(1, step.size, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(lambda s: step(s[None], x[None])[0], state[0])
    assert np.abs((step.jacobian(state, x) - expected).detach().numpy()).max() < 1e-12


@pytest.mark.parametrize(
    ("looked", "why"),
    [
        (network("bigru"), "reads every sequence in both directions"),
        (network("mlp"), "this model has no state"),
    ],
)
def test_what_has_no_dynamics_is_refused(looked: Network, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        dynamics(looked, row(40))


def test_a_short_row_and_a_wide_state() -> None:
    with pytest.raises(DataError, match="the row has 7 steps, too few for exponents: give one with at least 20"):
        dynamics(network("gru"), row(7))
    wide: Dynamics = dynamics(network("rnn", hidden=700), row(24))
    assert (wide.spectra, wide.points) == ((), None)
    assert wide.verdicts[1] == "its state has 700 numbers, more than 640: no spectra and no fixed points"


def test_of_a_heavy_layer_fewer_steps_are_read_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.inspection.dynamics._WORK", 1_000)
    assert dynamics(network("gru"), row()).steps == 45
    monkeypatch.setattr("unrolled.inspection.dynamics._HEAVIEST", 100)
    with pytest.raises(
        UsageError, match="its layer has 270 weights, more than 100: to follow a step would take minutes"
    ):
        dynamics(network("gru"), row())


def test_numbers_as_input() -> None:
    torch.manual_seed(0)
    made = Network({"x": Continuous(2)}, model_config(name="gru", hidden=4), outputs=1, pooled=True)
    batch = Batch({"x": torch.randn(2, 30, 2)}, torch.tensor([25, 30]), torch.arange(2))
    assert layer_inputs(made, batch).shape[0] == 25
    assert dynamics(made, batch).steps == 19
