"""The simple recurrent cell of Elman. Axes: B rows, I inputs, H hidden units."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import Operator, by_gate, check_step, first_weights
from unrolled.errors import UsageError, did_you_mean
from unrolled.watch import show

__all__ = ["RNN", "RNNState"]

_NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class RNNState(NamedTuple):
    """``h`` (B, H): the hidden state, which is also the output."""

    h: Tensor


class RNN(nn.Module):
    """The simple recurrent cell: the new state is one nonlinear layer of the input and the old state.

    ::

        h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        y_t = h_t

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        nonlinearity: φ, one of ``tanh``, ``relu``, ``sigmoid``; ``sigmoid`` has no fused implementation and is slower.

    Shape:
        x (B, I), state.h (B, H), y (B, H), all with the dtype of the weights.

    Raises:
        UsageError: a size below 1, an unknown nonlinearity.
        ShapeError: x or the state does not fit.

    Cost:
        H(I + H) multiply-adds per row and step; H numbers of state.

    References:
        Elman 1990, Finding structure in time, https://doi.org/10.1207/s15516709cog1402_1

    Example:
        >>> cell = RNN(3, 4)
        >>> y, state = cell(torch.zeros(2, 3), cell.initial_state(2, torch.zeros(())))
        >>> y.shape, torch.equal(y, state.h)
        (torch.Size([2, 4]), True)
    """

    gates: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self, input_size: int, hidden_size: int, nonlinearity: Literal["tanh", "relu", "sigmoid"] = "tanh"
    ) -> None:
        super().__init__()
        if nonlinearity not in _NONLINEARITIES:
            raise UsageError(f"unknown nonlinearity {nonlinearity!r}.{did_you_mean(nonlinearity, _NONLINEARITIES)}")
        self.input_size, self.hidden_size, self.nonlinearity = input_size, hidden_size, nonlinearity
        self.kernel = None if nonlinearity == "sigmoid" else f"rnn_{nonlinearity}"
        weights = first_weights(1, input_size, hidden_size)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = weights

    def forward(self, x: Tensor, state: RNNState) -> tuple[Tensor, RNNState]:
        """One step."""
        (h,) = check_step(self, x, state)
        h = linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh, self.bias_hh)
        (h,) = show(self, "h", _NONLINEARITIES[self.nonlinearity](h))
        return h, RNNState(h)

    @property
    def plain(self) -> str | None:
        """Its name in the export to torch; torch.nn has no sigmoid."""
        return None if self.nonlinearity == "sigmoid" else f"nn.RNN {self.nonlinearity}"

    @property
    def equations(self) -> dict[str, str]:
        """See `ExplainedCell`."""
        return {"h": f"{self.nonlinearity}(x_h + h_h)"}

    @property
    def operator(self) -> Operator:
        """See `WrittenCell`."""
        return Operator("RNN", self.gates, (self.nonlinearity.capitalize(),))

    def products(self, x: Tensor, state: RNNState) -> dict[str, Tensor]:
        """W x + b and W h + b of each gate."""
        of_x, of_h = linear(x, self.weight_ih, self.bias_ih), linear(state.h, self.weight_hh, self.bias_hh)
        return by_gate(self.gates, of_x, of_h)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        names = ("input_size", "hidden_size", "nonlinearity")
        return arguments(self, {name: getattr(self, name) for name in names})

    def initial_state(self, batch: int, like: Tensor) -> RNNState:
        """Zeros of the dtype and device of ``like``."""
        return RNNState(like.new_zeros(batch, self.hidden_size))

    def weights(self) -> list[Tensor]:
        """The weights, in the order of ``torch._VF``."""
        return [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]


MEMBER = RNN
