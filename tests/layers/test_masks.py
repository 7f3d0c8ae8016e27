"""A mask says which steps are real, in any place: the others are as if they were not there, and their output is 0."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from unrolled import layers
from unrolled.errors import ShapeError, UsageError

MASK = torch.tensor(
    [
        [True, True, True, True, True, True],
        [False, False, True, True, True, True],  # padding in front, as Keras's pad_sequences makes it
        [True, False, True, False, False, True],  # holes
        [True, True, False, False, False, False],  # padding at the end: lengths
        [False, False, False, False, False, False],
    ]
)
X = torch.randn(5, 6, 3, generator=torch.Generator().manual_seed(0))
BROKEN = X.masked_fill(~MASK.unsqueeze(2), float("nan"))


def assert_rows_are_as_if_alone(y: Tensor, ends: Any, alone: Any) -> None:
    """``alone(x)``: y and the parts of the final state of one row without its other steps."""
    for row in range(4):
        steps = MASK[row].nonzero().squeeze(1)
        expected, parts = alone(X[row : row + 1, steps])
        torch.testing.assert_close(y[row, steps], expected[0], atol=1e-6, rtol=0)
        for part, other in zip(ends(row), parts, strict=True):
            torch.testing.assert_close(part, other, atol=1e-6, rtol=0)
    assert not y[~MASK].any()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_layers_of_torch(name: str, batch_first: bool, bidirectional: bool) -> None:
    layer = getattr(layers, name)(3, 4, 2, batch_first=batch_first, bidirectional=bidirectional)
    turn = (lambda x: x) if batch_first else (lambda x: x.transpose(0, 1))
    y, state = layer(turn(BROKEN), mask=MASK)
    states = state if isinstance(state, tuple) else (state,)

    def alone(x: Tensor) -> tuple[Tensor, list[Tensor]]:
        y, last = layer(turn(x))
        return turn(y), [part[:, 0] for part in (last if isinstance(last, tuple) else (last,))]

    assert_rows_are_as_if_alone(turn(y), lambda row: [part[:, row] for part in states], alone)
    assert all(not part[:, 4].any() for part in states)
    turn(y).sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in layer.parameters())


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru"])
def test_recurrent_goes_on_from_a_state(cell: str) -> None:
    layer = layers.Recurrent(3, 4, cell, 2)
    _, before = layer(torch.randn(1, 3, 3))
    first = tuple(type(part)(*(value.expand(5, -1) for value in part)) for part in before)
    y, state = layer(BROKEN, None, first, mask=MASK)

    def alone(x: Tensor) -> tuple[Tensor, list[Tensor]]:
        y, last = layer(x, None, before)
        return y, [value[0] for part in last for value in part]

    assert_rows_are_as_if_alone(y, lambda row: [value[row] for part in state for value in part], alone)
    for part, start in zip(state, before, strict=True):
        assert torch.equal(part.h[4], start.h[0])  # a row without a real step keeps its state


def test_padding_at_the_end_is_what_lengths_are() -> None:
    layer = layers.LSTM(3, 4, batch_first=True, bidirectional=True)
    mask = torch.arange(6) < torch.tensor([6, 1, 0, 4, 3]).unsqueeze(1)
    found, expected = layer(X, mask=mask), layer(X, lengths=[6, 1, 0, 4, 3])
    assert torch.equal(found[0], expected[0])
    assert all(torch.equal(a, b) for a, b in zip(found[1], expected[1], strict=True))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"mask": MASK, "lengths": torch.tensor([6] * 5)}, UsageError, "give lengths or mask, not both"),
        ({"mask": MASK.float()}, ShapeError, r"mask is \(5, 6\) torch.float32, expected \(5, 6\) torch.bool"),
        ({"mask": MASK.T}, ShapeError, r"mask is \(6, 5\) torch.bool, expected \(5, 6\)"),
        ({"mask": MASK.tolist()}, ShapeError, r"mask is list, expected \(5, 6\) torch.bool"),
    ],
)
def test_what_is_refused(given: dict[str, Any], error: type[Exception], message: str) -> None:
    for layer in (layers.GRU(3, 4, batch_first=True), layers.Recurrent(3, 4)):
        with pytest.raises(error, match=message):
            layer(X, **given)


def test_a_mask_needs_a_padded_batch() -> None:
    layer = layers.GRU(3, 4)
    with pytest.raises(ShapeError, match="GRU: mask needs a batch"):
        layer(X[0], mask=MASK[0])
    packed = torch.nn.utils.rnn.pack_sequence([X[0]])
    with pytest.raises(UsageError, match="a packed sequence has its own lengths: leave mask out"):
        layer(packed, mask=MASK[:1])
