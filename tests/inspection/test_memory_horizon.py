from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled import api
from unrolled.batch import Continuous, Discrete
from unrolled.errors import DataError, UsageError
from unrolled.inspection.memory_horizon import Asked, Horizon, memory_horizon
from unrolled.models.encoder_decoder import EncoderDecoder
from unrolled.models.network import Network
from unrolled.synthetic.memory_tasks import problem

T, ROWS, HIDDEN = 200, 32, 64


def network(model: str, layers: int = 1) -> Network:
    torch.manual_seed(0)
    return Network({"x": Continuous(2)}, model_config(name=model, hidden=HIDDEN, layers=layers), 1, pooled=False)


def on_adding(network: Network, steps: int = T) -> Horizon:
    asked = problem("adding")
    questions = asked.questions(0, steps, ROWS)
    lengths = torch.full((ROWS,), steps)
    batch = Asked({"x": questions.input}, lengths, lambda outputs: asked.losses(outputs, questions).sum())
    return memory_horizon(network, [batch], steps)


def gates(network: Network) -> Tensor:
    """The biases i, f, g, o of the only layer, which may be written to."""
    return network.layer.layers[0][0].bias_ih.data  # type: ignore[attr-defined,no-any-return]


def test_a_tanh_rnn_is_flagged_on_adding() -> None:
    horizon = on_adding(network("rnn"))
    assert horizon.verdict == "vanishing"
    assert horizon.survival < 1e-4
    assert horizon.lag_90 < 60 and horizon.reach < 100
    assert len(horizon.norms) == T and horizon.answers == ROWS


def test_an_lstm_that_starts_with_forget_biases_of_one_is_flagged_too() -> None:
    assert on_adding(network("lstm")).verdict == "vanishing"


def test_one_with_forget_biases_of_about_log_t_is_cleared() -> None:
    log_t = network("lstm")
    gates(log_t)[HIDDEN : 2 * HIDDEN] = math.log(T)
    assert on_adding(log_t).verdict == "healthy"
    chrono = network(
        "lstm"
    )  # Tallec and Ollivier 2018: log of a time from 1 to T - 1, and the input gates its negative
    times = torch.rand(HIDDEN, generator=torch.Generator().manual_seed(1)) * (T - 2) + 1
    gates(chrono)[HIDDEN : 2 * HIDDEN] = times.log()
    gates(chrono)[:HIDDEN] = -times.log()
    horizon = on_adding(chrono)
    assert horizon.verdict == "healthy"
    assert 0.01 < horizon.survival < 2
    assert horizon.lag_90 > T / 2


def test_recurrent_weights_of_twice_the_size_explode() -> None:
    rnn = network("rnn")
    rnn.layer.layers[0][0].weight_hh.data *= 2  # type: ignore[attr-defined]
    horizon = on_adding(rnn)
    assert horizon.verdict == "exploding"
    assert horizon.norms[-1] > 1e4 * horizon.norms[0]
    rnn.layer.layers[0][0].weight_hh.data *= 1e6  # type: ignore[attr-defined]
    rnn.layer.layers[0][0].weight_ih.data *= 0  # type: ignore[attr-defined]
    overflown = on_adding(rnn)
    assert overflown.verdict == "exploding"


def test_the_spectrum_is_that_of_the_equations() -> None:
    """One linear unit, h_t = a h_{t-1} + w x_t: ‖∂L/∂x_{T-k}‖ = |2 (h - y)| |v w| a^k, known in closed form."""
    irnn = Network({"x": Continuous(1)}, model_config(name="irnn", hidden=1), 1, pooled=False)
    a, w, v = 0.9, 0.5, 2.0
    cell = irnn.layer.layers[0][0]  # type: ignore[attr-defined]
    for weight, value in zip(cell.weights(), (w, a, 0.0, 0.0), strict=True):
        weight.data.fill_(value)
    irnn.head.weight.data.fill_(v)
    irnn.head.bias.data.fill_(0.0)
    x = torch.arange(1.0, 7.0)[None, :, None]
    h = 0.0
    for value in x.flatten().tolist():
        h = a * h + w * value
    batch = Asked({"x": x}, torch.tensor([6]), lambda outputs: (outputs[:, -1] - 1).square().sum())
    horizon = memory_horizon(irnn, [batch], 6)
    wanted = [2 * abs(v * h - 1) * v * w * a**k for k in range(6)]
    np.testing.assert_allclose(horizon.norms, wanted, rtol=1e-5)
    shares = np.cumsum(wanted) / np.sum(wanted)
    assert horizon.lag_90 == int(np.argmax(shares >= 0.9))
    assert horizon.survival == pytest.approx(a**5, rel=1e-5)


def test_lags_are_counted_from_each_rows_own_end_and_padding_says_nothing() -> None:
    gru, x = network("gru"), torch.randn(2, 9, 2)
    lengths = torch.tensor([9, 4])

    def asked(rows: slice) -> Asked:
        ends = lengths[rows] - 1
        return Asked({"x": x[rows]}, lengths[rows], lambda o: o[torch.arange(len(o)), ends].square().sum())

    both = memory_horizon(gru, [asked(slice(0, 2))], 9).norms
    long, short = (memory_horizon(gru, [asked(slice(n, n + 1))], 9).norms for n in (0, 1))
    assert (len(long), len(short)) == (9, 4)
    np.testing.assert_allclose(both[:4], np.add(long[:4], short) / 2, rtol=1e-5)
    np.testing.assert_allclose(both[4:], long[4:], rtol=1e-5)
    assert memory_horizon(gru, [asked(slice(0, 1))], 3).norms == pytest.approx(long[:3])


def test_columns_are_taken_together_and_one_without_time_is_left_out() -> None:
    specs = {"word": Discrete(5), "value": Continuous(3), "who": Discrete(4, time=False)}
    torch.manual_seed(0)
    gru = Network(specs, model_config(name="gru", hidden=4), 1, pooled=True)
    inputs = {"word": torch.tensor([[1, 2, 0]]), "value": torch.randn(1, 3, 3), "who": torch.tensor([3])}
    horizon = memory_horizon(gru, [Asked(inputs, torch.tensor([3]), Tensor.sum)], 3)
    embedded = [
        e(inputs[name]).detach().requires_grad_() for e, name in zip(gru.columns.embeddings, inputs, strict=True)
    ]
    x = torch.cat([*embedded[:2], embedded[2][:, None].expand(-1, 3, -1)], 2)
    gru.head(gru.layer(x)[0][:, -1]).sum().backward()
    wanted = torch.cat([embedded[0].grad, embedded[1].grad], 2).norm(dim=2)  # type: ignore[list-item]
    np.testing.assert_allclose(horizon.norms, wanted[0].flip(0), rtol=1e-5)


def test_the_model_is_left_as_it_was() -> None:
    gru = network("gru").train()
    before = {name: tensor.clone() for name, tensor in gru.state_dict().items()}
    on_adding(gru, 12)
    assert gru.training
    assert all(torch.equal(before[name], tensor) for name, tensor in gru.state_dict().items())
    assert all(p.grad is None for p in gru.parameters())
    assert not any(e._forward_hooks for e in gru.columns.embeddings)


@pytest.mark.parametrize("model", ["bigru", "mingru", "window"])
def test_any_model_is_measured(model: str) -> None:
    horizon = on_adding(network(model), 24)
    assert len(horizon.norms) == 24 and horizon.norms[0] > 0
    if model == "window":
        assert horizon.norms[16:] == (0.0,) * 8 and horizon.reach == 15
        assert "steps more than 15 back are not learned" in str(horizon)


def test_it_reads_as_a_page() -> None:
    page = str(Horizon(tuple(10.0**-k for k in range(6)), 0, 1e-5, 2, "vanishing", 1)).splitlines()
    assert page[0].startswith("lag k  ‖∂L_t/∂x_t-k‖, logarithmic: each █ is a factor of ")
    assert [line.split("  ")[0].strip() for line in page[1:5]] == ["0", "1", "2–3", "4–5"]
    bars = [line.count("█") for line in page[1:5]]
    assert bars[0] == 40 and bars == sorted(bars, reverse=True) and bars[3] > 0
    assert page[1].split()[1] == "1" and page[3].split()[1] == "0.0055"
    assert page[6:] == [
        "90 % of the gradient is within 0 steps",
        "vanishing: only 1e-05 of the recent steps' gradient reaches lag 5; steps more than 2 back are not learned",
    ]
    healthy = str(Horizon((1.0, 0.5), 1, 0.5, 1, "healthy", 1))
    assert healthy.endswith("healthy: 0.5 of the recent steps' gradient reaches 1 step back")
    exploding = str(Horizon((1.0, math.inf), 1, math.nan, 1, "exploding", 1))
    assert "exploding: the gradient grows with the lag" in exploding
    nothing = str(Horizon((0.0, 0.0), 0, math.nan, 0, "vanishing", 1))
    assert "█" not in nothing.split("\n", 1)[1] and "no answer has a gradient at any step" in nothing


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(UsageError, match="^lags must be at least 2, got 1$"):
        memory_horizon(network("gru"), [], 1)
    with pytest.raises(DataError, match="every row has fewer than two steps, so there is no lag to measure"):
        memory_horizon(network("gru"), [], 5)
    untimed = Network({"x": Continuous(2, time=False)}, model_config(name="mlp", hidden=4), 1, pooled=True)
    with pytest.raises(UsageError, match="this model reads only one step per row, so it has no memory to measure"):
        memory_horizon(untimed, [], 5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, api.Trained]:
    folder = tmp_path_factory.mktemp("memory")
    few = {"steps": 2, "hidden": 4, "valid": 0}
    labelled = {"text": ["abcab", "ba", "aab", "bbacabca"] * 5, "label": ["x", "y"] * 10}
    load = folder / "load.csv"
    load.write_text("load\n" + "\n".join(str(math.sin(i / 3)) for i in range(120)))
    text = folder / "text.txt"
    text.write_text("the cat sat. a dog ran. " * 50)
    return {
        "classify": api.fit(
            labelled, target="label", tokens="characters", kinds={"text": "tokens"}, out=folder / "a", **few
        ),  # type: ignore[arg-type]
        "next_step": api.fit(text, out=folder / "b", **few),  # type: ignore[arg-type]
        "forecast": api.fit(load, target="load", horizon=2, lookback=20, out=folder / "c", **few),  # type: ignore[arg-type]
    }


def test_a_trained_model_is_measured_on_its_own_data(trained: dict[str, api.Trained], tmp_path: Path) -> None:
    rows = {"text": ["abcab", "ba", "aab", "bbacabca"], "label": ["x", "y", "x", "y"]}
    horizon = api.memory(trained["classify"], rows)
    assert (len(horizon.norms), horizon.answers) == (8, 4)
    with pytest.raises(DataError, match="fewer than two steps"):
        api.memory(trained["classify"], {"text": ["a", "b"], "label": ["x", "y"]})
    text = tmp_path / "text.txt"
    text.write_text("the cat sat. a dog ran. " * 50)
    horizon = api.memory(trained["next_step"], text)
    assert len(horizon.norms) == 1_000
    assert horizon.answers > 100
    assert len(api.memory(trained["next_step"], text, lags=40).norms) == 40
    load = tmp_path / "load.csv"
    load.write_text("load\n" + "\n".join(str(math.sin(i / 3)) for i in range(60)))
    horizon = api.memory(trained["forecast"], load)
    assert len(horizon.norms) == 20
    assert len(api.memory(trained["forecast"], load, lags=30).norms) == 30
    with pytest.raises(UsageError, match="lags must be at least 2, got 0"):
        api.memory(trained["forecast"], load, lags=0)
    writer = EncoderDecoder({"load": Continuous(1)}, model_config(hidden=2), outputs=3)
    two = replace(trained["forecast"], network=writer)
    with pytest.raises(UsageError, match="can only be measured for a single network; this model is an encoder–decoder"):
        api.memory(two, load)


def test_the_answer_to_a_step_is_that_steps_alone(trained: dict[str, api.Trained]) -> None:
    """A text of three characters has two questions; with two lags, the only whole window ends at its last one."""
    model = trained["next_step"]
    horizon = api.memory(model, {model.task.coder.target: ["cat"]})
    ids = torch.from_numpy(model.task.coder.answer.encode_text("cat").astype(np.int64))[None]  # with <begin>
    steps = ids.shape[1] - 1
    embedded = model.network.columns.embeddings[0](ids[:, :steps]).detach().requires_grad_()
    outputs = model.network.head(model.network.layer(embedded)[0])
    torch.nn.functional.cross_entropy(outputs[0, -1:], ids[0, -1:]).backward()
    assert embedded.grad is not None
    # The row's end, <end>, may be one more question: then it is the last one.
    wanted = embedded.grad.norm(dim=2)[0].flip(0)
    assert horizon.answers == 1
    assert len(horizon.norms) in (steps, steps + 1)
    if len(horizon.norms) == steps:
        np.testing.assert_allclose(horizon.norms, wanted, rtol=1e-4)
