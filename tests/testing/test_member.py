"""Held to its contracts a good member passes, and each kind of fault is found and said."""

from __future__ import annotations

from typing import Any, Self

import pytest
import torch
from own_cells import Delayed, Leaky
from torch import Tensor, nn

from unrolled.config import ModelConfig
from unrolled.errors import UsageError
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import zero_padding
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.session import layer_session
from unrolled.testing import check_member
from unrolled.testing.subject import Broken


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
        (RemembersCalls, "A cell keeps nothing", "y differs by"),
        (ChangesItsState, "A cell keeps nothing", "state differs by"),
        (Wide, r"A cell made with \(I, H\) has these sizes", r"y has shape \(4, 10\), expected \(4, 5\)"),
        (Grows, r"A cell made with \(I, H\) has these sizes", "the state after a step has the form"),
        (TimeFirst, r"A cell made with \(I, H\) has these sizes", "the batch is not axis 0 of state"),
        (Renamed, r"A cell made with \(I, H\) has these sizes", "Renamed has input_size 5, expected 3"),
        (OneDtype, "The first state has the dtype", "state is torch.float32 for a like of torch.float64"),
        (SeesTheBatch, "C3: a row alone", "y differs by"),
        (SeesTheBatch, "C2: the final state is", "y differs by"),
        (Forgets, "C8: weights that were saved and loaded", "y differs by"),
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


class Through(nn.Module, Layer):
    """A layer without weights and state; its variants below are wrong in one way each."""

    causal, bidirectional = True, False

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, size
        self.linear = nn.Linear(input_size, size)

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        return cls(input_size, config.hidden)

    def forward(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        return zero_padding(self.linear(zero_padding(x, lengths)), lengths), ()

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.linear(x), ()

    def session(self, batch: int | None = None) -> Any:
        return layer_session(self, batch, self.linear.weight, self.step, self.initial_state)

    def initial_state(self, batch: int, like: Tensor) -> Any:
        return ()


class IgnoresLengths(Through):
    def forward(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        return self.linear(x), ()


class SeesAhead(Through):
    def forward(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        x = zero_padding(x, lengths)
        return zero_padding(self.linear(x + x.sum(1, keepdim=True)), lengths), ()


class SeesAheadAndSaysSo(SeesAhead):
    causal = False


class SaysThatItSeesAhead(Through):
    causal = False


class StepsOtherwise(Through):
    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.linear(x) + 0.1, ()


def test_a_good_layer_passes() -> None:
    assert check_member(Through, "layer").broken == ()


@pytest.mark.parametrize(
    ("layer", "contract", "fault"),
    [
        (IgnoresLengths, "C2: what lies beyond", "y differs by"),
        (IgnoresLengths, "C2: a batch of empty rows", "y differs by"),
        (SeesAhead, "C4: later inputs change no earlier output", "outputs up to step 0 depend on later inputs"),
        (SeesAhead, "C1: in chunks", "y differs by"),
        (SeesAheadAndSaysSo, "C1: a layer that reads the future refuses", "step was not refused with a UsageError"),
        (SaysThatItSeesAhead, "C4: a layer that does not call itself causal", "its first output sees no future"),
        (StepsOtherwise, "C1: step by step", r"y differs by 0\.1, and 2\.\de-05 is allowed"),
        (StepsOtherwise, "C1: a live session", "y differs by 0.1"),
        (nn.Linear, "It can be made", "AttributeError: .*has no attribute 'build'"),
    ],
)
def test_a_fault_of_a_layer_is_found(layer: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"(?s)BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(layer, "layer")


def test_what_is_not_held_to_anything_says_why() -> None:
    with pytest.raises(UsageError, match=r"there is no cell 'lstn'. Did you mean 'lstm'\?"):
        check_member("cell.lstn")
    with pytest.raises(UsageError, match=r"there are no contracts for members of kind 'cel'. Did you mean 'cell'\?"):
        check_member("cel.lstm")
    with pytest.raises(UsageError, match="give the kind of this member as the second argument, such as 'cell'"):
        check_member(Leaky)
    with pytest.raises(Broken, match=r"Recurrent: \d+ of \d+ contracts hold"):
        check_member(Recurrent, "cell")
