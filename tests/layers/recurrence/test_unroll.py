"""The door: torch's loop and the plain loop agree, in outputs, states and gradients; and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from unrolled.cells.cell import CELLS
from unrolled.cells.gru import GRU, GRUState
from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.errors import ShapeError
from unrolled.layers.recurrence.unroll import unroll

NAMES = CELLS.names()
LENGTHS = torch.tensor([7, 3, 0, 1])


class Plain:
    """The same cell, with no loop of torch's."""

    def __init__(self, cell: Any) -> None:
        self.cell, self.input_size, self.hidden_size = cell, cell.input_size, cell.hidden_size

    def __call__(self, x: Tensor, state: Any) -> Any:
        return self.cell(x, state)

    def initial_state(self, batch: int, like: Tensor) -> Any:
        return self.cell.initial_state(batch, like)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["even", "uneven"])
@pytest.mark.parametrize("name", NAMES)
def test_both_paths_agree(
    name: str, lengths: Tensor | None, reverse: bool, dtype: torch.dtype, tolerance: float
) -> None:
    torch.manual_seed(0)
    cell = CELLS.get(name)(3, 16).to(dtype)
    x = torch.randn(4, 7, 3, dtype=dtype, requires_grad=True)
    first = type(cell.initial_state(1, x))(
        *(torch.randn(4, 16, dtype=dtype, requires_grad=True) for _ in cell.initial_state(1, x))
    )
    toward = torch.randn(4, 7, 16, dtype=dtype)

    def run(member: Any) -> list[Tensor]:
        y, last = unroll(member, x, lengths, first, reverse=reverse)
        loss = (y * toward).sum() + sum((part * toward[:, k]).sum() for k, part in enumerate(last))
        return [y, *last, *torch.autograd.grad(loss, [x, *first, *cell.parameters()])]

    for fast, plain in zip(run(cell), run(Plain(cell)), strict=True):
        torch.testing.assert_close(fast, plain, atol=tolerance * max(1.0, float(plain.detach().abs().max())), rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_memory_of_a_padded_row_stays_to_the_bit(dtype: torch.dtype) -> None:
    """The flag column must saturate both gates exactly: 500 padded steps may not wear the memory away."""
    torch.manual_seed(0)
    cell = LSTM(3, 64).to(dtype)
    first = LSTMState(torch.randn(2, 64, dtype=dtype), torch.randn(2, 64, dtype=dtype).requires_grad_())
    y, last = unroll(cell, torch.randn(2, 500, 3, dtype=dtype), torch.tensor([500, 0]), first)
    assert torch.equal(last.c[1], first.c[1])
    assert torch.equal(last.h[1], first.h[1])
    (gradient,) = torch.autograd.grad(last.c[1].sum() + y[1].sum(), first.c)
    assert torch.equal(gradient[1], torch.ones(64, dtype=dtype))


def test_backward_reading_ends_at_the_first_step() -> None:
    cell, x = GRU(3, 4), torch.randn(2, 5, 3)
    y, last = unroll(cell, x, torch.tensor([5, 2]), reverse=True)
    assert torch.equal(last.h, y[:, 0])
    alone, _ = unroll(cell, x[1:, :2].flip(1))
    torch.testing.assert_close(y[1:, :2], alone.flip(1))


@pytest.mark.parametrize(
    ("x", "lengths", "state", "message"),
    [
        (torch.zeros(2, 3), None, None, r"GRU\(3, 4\): x has shape \(2, 3\), expected \(B, T, I\) with I = 3"),
        (torch.zeros(2, 5, 4), None, None, r"x has shape \(2, 5, 4\), expected \(B, T, I\) with I = 3"),
        (torch.zeros(2, 5, 3).double(), None, None, r"x is torch.float64 and the weights are torch.float32"),
        (torch.zeros(2, 5, 3), torch.tensor([5, 9]), None, r"lengths\[1\] is 9, expected 0 … 5"),
        (torch.zeros(2, 5, 3), None, GRUState(torch.zeros(1, 4)), r"state.h is \(1, 4\) .*, expected \(2, 4\)"),
        (
            torch.zeros(2, 5, 3),
            None,
            LSTMState(torch.zeros(2, 4), torch.zeros(2, 4)),
            r"state is LSTMState, expected GRU",
        ),
        (torch.zeros(2, 5, 3), None, torch.zeros(2, 4), r"state is Tensor, expected GRUState"),
    ],
)
def test_what_does_not_fit_is_named(x: Tensor, lengths: Any, state: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        unroll(GRU(3, 4), x, lengths, state)
