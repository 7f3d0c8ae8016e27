"""The recurrent layer: its shapes, its state, its dropout, and what it refuses. The contracts do the rest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unrolled.cells.cell import CELLS
from unrolled.cells.lstm import LSTMState
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.recurrent import Recurrent


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_the_numbers_of_torch_nn(name: str, layers: int, bidirectional: bool) -> None:
    layer = Recurrent(3, 8, name, layers, bidirectional)
    other = getattr(nn, name.upper())(3, 8, layers, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for mine, theirs in zip(layer.parameters(), other.parameters(), strict=True):
            theirs.copy_(mine)
    x = torch.randn(4, 9, 3)
    torch.testing.assert_close(layer(x)[0], other(x)[0], atol=1e-6, rtol=0)


def test_the_form_of_the_state() -> None:
    x = torch.zeros(2, 4, 3)
    one = Recurrent(3, 5, "lstm", 2)
    _, state = one(x)
    assert [type(part) for part in state] == [LSTMState, LSTMState]
    both = Recurrent(3, 5, "lstm", 2, bidirectional=True)
    y, state = both(x)
    assert y.shape == (2, 4, 10)
    assert [len(pair) for pair in state] == [2, 2]
    assert both.output_size == 10
    assert (one.causal, both.causal) == (True, False)
    assert len(both.initial_state(2, x)[0]) == 2


def test_dropout_stands_between_layers_only() -> None:
    x = torch.randn(2, 4, 3)
    single = Recurrent(3, 5, dropout=0.9).train()
    assert torch.equal(single(x)[0], single(x)[0])
    stacked = Recurrent(3, 5, num_layers=2, dropout=0.9).train()
    assert not torch.equal(stacked(x)[0], stacked(x)[0])
    stacked.eval()
    assert torch.equal(stacked(x)[0], stacked(x)[0])


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"there is no cell 'lstn'. Did you mean 'lstm'\?"):
        Recurrent(3, 5, "lstn")
    with pytest.raises(UsageError, match="num_layers must be at least 1, got 0"):
        Recurrent(3, 5, num_layers=0)
    with pytest.raises(UsageError, match="dropout must be at least 0 and below 1, got 1"):
        Recurrent(3, 5, dropout=1)
    with pytest.raises(ShapeError, match="state has 1 layers, expected 2"):
        Recurrent(3, 5, num_layers=2)(torch.zeros(1, 2, 3), None, Recurrent(3, 5).initial_state(1, torch.zeros(())))


def test_a_hundred_thousand_steps_live() -> None:
    """Memory does not grow with the steps: the state after many has the size of the state before."""
    layer, x = Recurrent(1, 2, "gru"), torch.zeros(1, 100_000, 1)
    with torch.no_grad():
        y, state = layer(x)
        again, state = layer.step(x[:, 0], state)
    assert y.isfinite().all()
    assert [part.shape for part in state[0]] == [(1, 2)]
    torch.testing.assert_close(again, y[:, -1])


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_mixed_precision_with_a_carried_state(name: str) -> None:
    layer, x = Recurrent(3, 8, name, 2), torch.randn(4, 6, 3)
    lengths = torch.tensor([6, 3, 0, 2])
    full, state = layer(x, lengths)
    full_again, _ = layer(x, lengths, state)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = layer(x, lengths)
        again, state = layer(x, lengths, state)
        layer.step(x[:, 0], state)
    torch.testing.assert_close(y.float(), full, atol=0.05, rtol=0)
    torch.testing.assert_close(again.float(), full_again, atol=0.05, rtol=0)
    y.float().sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize("cell", CELLS.names())
def test_one_step_exports_whole(cell: str) -> None:
    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Recurrent(3, 5, cell, num_layers=2).eval()

        def forward(self, x: Tensor, state: Any) -> Any:
            return self.layer.step(x, state)

    step, x = Step(), torch.randn(2, 3)
    state = step.layer.initial_state(2, x)
    exported = torch.export.export(step, (x, state)).module()
    torch.testing.assert_close(exported(x, state), step(x, state))


def test_a_first_step_needs_no_state() -> None:
    layer = Recurrent(3, 5, "lstm", 2)
    x = torch.randn(2, 3)
    found, state = layer.step(x, None)
    expected, other = layer.step(x, layer.initial_state(2, x))
    assert torch.equal(found, expected)
    assert torch.equal(state[1].c, other[1].c)


@pytest.mark.parametrize(
    ("merge", "merged"),
    [
        ("sum", lambda a, b: a + b),
        ("mul", lambda a, b: a * b),
        ("mean", lambda a, b: (a + b) / 2),
        ("concat", lambda a, b: torch.cat([a, b], 2)),
    ],
)
def test_the_two_directions_are_merged(merge: Any, merged: Any) -> None:
    layer, x, lengths = Recurrent(3, 5, "gru", 1, bidirectional=True, merge=merge), torch.randn(2, 4, 3), [4, 2]
    halves = Recurrent(3, 5, "gru", 1, bidirectional=True)
    halves.load_state_dict(layer.state_dict())
    real = torch.tensor(lengths)
    y, _ = layer(x, real)
    assert torch.equal(y, merged(*halves(x, real)[0].chunk(2, 2)))
    assert layer.output_size == y.shape[2]
    stacked = Recurrent(3, 5, "gru", 2, bidirectional=True, merge=merge)
    assert stacked(x)[0].shape == (2, 4, layer.output_size)
    assert (f"merge={merge!r}" in repr(layer)) == (merge != "concat")


@pytest.mark.parametrize("name", ["rnn", "irnn", "gru", "lstm"])
def test_recurrent_dropout_is_the_same_at_every_step(name: str) -> None:
    """With the same m by hand: the recurrent weights read m ⊙ h, and nothing else does."""
    layer, x = Recurrent(3, 64, name, recurrent_dropout=0.5), torch.randn(4, 6, 3)
    torch.manual_seed(2)
    y, _ = layer(x)
    torch.manual_seed(2)
    m = nn.functional.dropout(torch.ones(4, 64), 0.5)
    assert set(m.unique().tolist()) == {0.0, 2.0}
    for row in range(4):
        dropped = Recurrent(3, 64, name)
        dropped.load_state_dict(layer.state_dict())
        with torch.no_grad():
            dropped.layers[0][0].weight_hh.mul_(m[row])  # one row has one m, so it may as well be in the weights
        torch.testing.assert_close(y[row], dropped(x[row : row + 1])[0][0], atol=1e-5, rtol=0)
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_recurrent_dropout_with_lengths_in_both_directions_and_steps() -> None:
    layer = Recurrent(3, 5, "lstm", 2, bidirectional=True, recurrent_dropout=0.3)
    x = torch.randn(2, 4, 3)
    broken = x.clone()
    broken[1, 2:] = float("nan")
    torch.manual_seed(1)
    y, _ = layer(broken, torch.tensor([4, 2]))
    assert torch.isfinite(y).all()
    assert not y[1, 2:].any()
    assert torch.isfinite(Recurrent(3, 5, recurrent_dropout=0.3).step(x[:, 0], None)[0]).all()


def test_what_recurrent_dropout_and_merge_refuse() -> None:
    with pytest.raises(UsageError, match="recurrent_dropout must be at least 0 and below 1, got 1"):
        Recurrent(3, 5, recurrent_dropout=1)
    with pytest.raises(UsageError, match="recurrent_dropout drops what the recurrent weights read; layer 1, MinGRU"):
        Recurrent(3, 5, "mingru", recurrent_dropout=0.5)
    with pytest.raises(UsageError, match=r"unknown merge 'summ'. Did you mean 'sum'\?"):
        Recurrent(3, 5, bidirectional=True, merge="summ")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"training mode, with recurrent_dropout: call eval\(\)"):
        Recurrent(3, 5, recurrent_dropout=0.5).session()
