"""Stuck gates that were planted by hand are found, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from configs import model_config

from unrolled.batch import Batch, Discrete
from unrolled.inspection.saturation import Saturation, saturation
from unrolled.inspection.trace import Trace, trace
from unrolled.models.network import Network

HIDDEN = 8


class _Plain:
    """A task that neither judges nor answers."""

    pooled = False

    def answers(self, outputs: Any, batch: Batch) -> dict[str, list[Any]]:
        return {}

    def answered(self, outputs: Any, batch: Batch) -> Batch:
        return batch


def traced(model: str, steps: int, biases: dict[tuple[int, int], float] | None = None, rows: int = 1) -> list[Trace]:
    """A network whose (gate, unit) have these biases, on random symbols."""
    torch.manual_seed(0)
    network = Network({"ids": Discrete(7)}, model_config(name=model, hidden=HIDDEN), outputs=7, pooled=False)
    for (gate, unit), bias in (biases or {}).items():
        network.layer.layers[0][0].bias_ih.data[gate * HIDDEN + unit] = bias  # type: ignore[attr-defined]
    task: Any = _Plain()
    batches = (
        Batch({"ids": torch.randint(7, (1, steps))}, torch.tensor([steps]), torch.tensor([0])) for _ in range(rows)
    )
    return [trace(network, task, batch) for batch in batches]


def test_planted_gates_of_an_lstm_are_found() -> None:
    f, o = 1, 3
    found = saturation(traced("lstm", 100, {(f, 0): 30.0, (f, 1): -30.0, (f, 5): 30.0, (o, 2): -30.0}))
    assert found.stuck == {
        "layer 1": {"keeps for ever": (0, 5), "never remembers": (1,), "never heard": (2,), "dead": (2,)}
    }
    forget = found.gates["layer 1, forget gate"]
    assert (forget.open[0], forget.closed[0], forget.open[1], forget.closed[1]) == (1.0, 0.0, 0.0, 1.0)
    assert list(found.gates) == [f"layer 1, {name} gate" for name in ("input", "forget", "output")]
    first = next(one for one in found.verdicts if "keeps for ever" in one)
    assert first == (
        "layer 1, 2 of 8 units, keeps for ever: the forget gate is above 0.9 in at least 95% of 100 steps; what they "
        "hold hardly fades, so start every sequence from a fresh state"
    )


@pytest.mark.parametrize("model", ["lstm", "gru", "rnn"])
def test_a_network_before_training_has_no_stuck_unit(model: str) -> None:
    found = saturation(traced(model, 100))
    assert found.stuck == {}
    assert found.verdicts == ("no unit is stuck in 100 steps: each gate moves, and each hidden state varies",)


def test_a_share_is_of_the_steps_of_all_rows() -> None:
    f = torch.full((25, 2), 0.5)
    f[:, 0] = 0.95
    quiet = Trace(25, {"layer.layers.0.0.f": f}, None, {}, None, 0.0)
    other = Trace(75, {"layer.layers.0.0.f": torch.full((75, 2), 0.99)}, None, {}, None, 0.0)
    both = saturation([quiet, other])
    assert (both.steps, both.gates["layer 1, forget gate"].open) == (100, (1.0, 0.75))
    assert both.stuck == {"layer 1": {"keeps for ever": (0,)}}


def test_few_steps_and_models_without_gates_say_so() -> None:
    assert saturation(traced("lstm", 19, {(1, 0): 30.0})).verdicts == (
        "only 19 steps were read, too few to call a gate stuck: give at least 20",
    )
    assert saturation(traced("lstm", 10, {(1, 0): 30.0}, rows=2)).stuck == {"layer 1": {"keeps for ever": (0,)}}
    for model in ("transformer", "deltanet", "window"):
        none = saturation(traced(model, 40))
        assert none == Saturation(40, {}, {}, ("this model has no recurrent cell, so it has no gates",))
