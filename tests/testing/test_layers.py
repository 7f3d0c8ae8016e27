"""A good layer passes, and each kind of fault is found and said."""

from __future__ import annotations

from typing import Any, Self

import pytest
from torch import Tensor, nn

from unrolled.layers.config import ModelConfig
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import zero_padding
from unrolled.layers.recurrence.layer_session import layer_session
from unrolled.testing import check_member
from unrolled.testing.report import Broken


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
        (IgnoresLengths, "C2: the values of padding", "y differs by"),
        (IgnoresLengths, "C2: empty rows", "y differs by"),
        (SeesAhead, "C4: later inputs change no earlier output", "outputs up to step 0 depend on later inputs"),
        (SeesAhead, "C1: in chunks", "y differs by"),
        (SeesAheadAndSaysSo, "C1: a layer that is not causal refuses", "step was not refused with a UsageError"),
        (SaysThatItSeesAhead, "C4: in a layer that is not causal", "its first output does not depend on later inputs"),
        (StepsOtherwise, "C1: step by step", r"y differs by 0\.1; the limit is 2\.\de-05"),
        (StepsOtherwise, "C1: a live session", "y differs by 0.1"),
        (nn.Linear, "It can be built", "AttributeError: .*has no attribute 'build'"),
    ],
)
def test_a_fault_of_a_layer_is_found(layer: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"(?s)BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(layer, "layer")
