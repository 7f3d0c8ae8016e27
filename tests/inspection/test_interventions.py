"""A trace with something changed beside it: a unit held, a head made uniform, a value put in place of another."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from inspection.stubs import NextSymbol, batch_of, network_of

from unrolled.errors import ShapeError, UsageError
from unrolled.inspection.ablation import ablate_units
from unrolled.inspection.trace import Trace, trace

TASK = NextSymbol()


def traced(name: str, **options: Any) -> Trace:
    return trace(network_of(name, **options), TASK, batch_of(9))


@pytest.mark.parametrize("name", ["lstm", "bigru", "mingru", "deltanet", "transformer", "bitransformer", "bilstm"])
def test_what_is_there_put_in_its_own_place_changes_nothing_to_the_bit(name: str) -> None:
    plain = traced(name, layers=2)
    for path in plain.values:
        same = plain.with_(path, plain[path])
        again = plain.with_(path, same[path])
        assert torch.equal(same.outputs, again.outputs), path
        torch.testing.assert_close(same.outputs, plain.outputs, atol=1e-6, rtol=0)
        assert torch.equal(same.values[path], plain.values[path]), path


def test_a_value_put_at_every_step_is_what_follows_is_computed_from() -> None:
    plain = traced("bilstm")
    forget = "layer 1, backward, forget gate"
    forgetful = plain.with_(forget, 0.0)
    assert not forgetful[forget].any()
    i, g, c = (forgetful[f"layer 1, backward, {name}"] for name in ("input gate", "candidate", "cell state"))
    torch.testing.assert_close(c, i * g)
    cell = torch.randn(9, 8)
    put = plain.with_("layer 1, backward, cell state", cell)
    o, h = (put[f"layer 1, backward, {name}"] for name in ("output gate", "hidden state"))
    torch.testing.assert_close(h, o * cell.tanh())
    both = forgetful.with_("layer 1, output gate", 1.0)
    assert not both[forget].any() and bool((both["layer 1, output gate"] == 1).all())


def test_a_unit_is_held_at_its_mean_and_a_head_is_made_uniform() -> None:
    plain = traced("gru")
    name = "layer 1, hidden state"
    held = plain.without(unit=(name, 3))
    torch.testing.assert_close(held[name][:, 3], plain[name][:, 3].mean().expand(9))
    assert plain.loss is not None and held.loss is not None
    network, batch = network_of("gru"), batch_of(9)
    worth = ablate_units(network, TASK, batch, "layer.layers.0.0.h", [3]).worth[0]
    assert worth.harm == pytest.approx(float((held.loss - plain.loss).mean()), abs=1e-6)
    assert plain.ablate(name, [3]).worth[0].harm == pytest.approx(worth.harm, abs=1e-6)
    seen = traced("transformer", heads=2)
    even = seen.without(head=("block 1, attention", 1))["block 1, attention"]
    torch.testing.assert_close(even[4, 1], torch.tensor([0.2] * 5 + [0.0] * 4))
    torch.testing.assert_close(even[:, 0], seen["block 1, attention"][:, 0])


def test_what_cannot_be_changed_is_said() -> None:
    plain, seen = traced("lstm"), traced("transformer")
    with pytest.raises(UsageError, match="there is no 'block 1, attention' in the trace"):
        plain.without(head=("block 1, attention", 0))
    with pytest.raises(UsageError, match="'layer 1, cell state' has no heads that could be taken out one by one"):
        plain.without(head=("layer 1, cell state", 0))
    with pytest.raises(UsageError, match="'block 1, attention' has no units"):
        seen.without(unit=("block 1, attention", 0))
    with pytest.raises(UsageError, match="there is no unit 8: 'layer 1, cell state' has 8, from 0"):
        plain.without(unit=("layer 1, cell state", 8))
    with pytest.raises(UsageError, match="name either a unit or a head"):
        plain.without()
    with pytest.raises(ShapeError, match=r"layer 1, cell state is \(9, 8\), and \(3,\) does not spread to it"):
        plain.with_("layer 1, cell state", torch.zeros(3))
    with pytest.raises(UsageError, match="this is the trace of a changed run: ask the one of the ordinary run"):
        plain.without(unit=("layer 1, cell state", 0)).reach()
    with pytest.raises(UsageError, match="this trace does not know its model"):
        Trace(1, {"h": torch.zeros(1, 2)}, None, {}, None, 0.0).without(unit=("hidden state", 0))
    assert plain.reach(4).step == plain.attribute(4).step == 4
