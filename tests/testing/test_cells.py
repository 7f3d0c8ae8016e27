"""A good cell passes, and each kind of fault is found and said."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from own_cells import Delayed, Leaky
from torch import Tensor, nn

from unrolled.testing import check_member
from unrolled.testing.report import Broken


@pytest.mark.parametrize("cell", [Leaky, Delayed])
def test_a_good_cell_passes(cell: Any) -> None:
    report = check_member(cell, "cell")
    assert report.broken == ()
    assert str(report).startswith(f"{cell.__name__}: {len(report.outcomes)} of {len(report.outcomes)} contracts hold\n")
    for contract in ("C1", "C2", "C3", "C4", "C5", "C8"):
        assert f"holds   {contract}: " in str(report)
    assert "[both directions]" in str(report)


class RemembersCalls(Leaky):
    """What it answers depends on the call before."""

    before: Any = 0.0

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, h)
        y, self.before = y + self.before, float(y.detach().sum())
        return y, h


class ChangesItsState(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h.add_(self.linear(x).detach())
        return h.clone(), h


class Wide(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, h)
        return torch.cat([y, y], 1), h


class Grows(Leaky):
    def forward(self, x: Tensor, h: Any) -> tuple[Tensor, Any]:
        y, h = super().forward(x, h[0] if isinstance(h, tuple) else h)
        return y, (h, h)


class OneDtype(Leaky):
    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return torch.zeros(batch, self.hidden_size)


class TimeFirst(Leaky):
    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return like.new_zeros(1, batch, self.hidden_size)


class SeesTheBatch(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x - x.mean(0), h)


class Forgets(Leaky):
    """Its weights are no parameters, so that they are not saved."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.scale = torch.randn(hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, h)
        return y * self.scale.to(y), h


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient * 3


class WrongGradient(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(Doubled.apply(x), h)


class NoState(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size


class Renamed(Leaky):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(hidden, inputs)


@pytest.mark.parametrize(
    ("cell", "contract", "fault"),
    [
        (RemembersCalls, "A cell has no hidden memory", "y differs by"),
        (ChangesItsState, "A cell has no hidden memory", "state differs by"),
        (Wide, r"A cell made with \(I, H\) has these sizes", r"y has shape \(4, 10\), expected \(4, 5\)"),
        (Grows, r"A cell made with \(I, H\) has these sizes", "the state after a step has the form"),
        (TimeFirst, r"A cell made with \(I, H\) has these sizes", "the batch is not axis 0 of state"),
        (Renamed, r"A cell made with \(I, H\) has these sizes", "Renamed has input_size 5, expected 3"),
        (OneDtype, "The initial state has the dtype", "state is torch.float32 for a like of torch.float64"),
        (SeesTheBatch, "C3: a row returns", "y differs by"),
        (SeesTheBatch, "C2: the final state is", "y differs by"),
        (Forgets, "C8: saved and loaded weights", "y differs by"),
        (WrongGradient, "C5: the gradients", "Jacobian mismatch"),
        (
            NoState,
            r"A cell made with \(I, H\) has these sizes",
            "UsageError: layer 1: NoState has no initial_state; a cell is a torch.nn.Module with",
        ),
        (lambda inputs: None, "A cell made", "TypeError: .* takes 1 positional argument but 2 were given"),
    ],
)
def test_a_fault_of_a_cell_is_found(cell: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"(?s)BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(cell, "cell")
