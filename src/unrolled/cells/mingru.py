"""The minimal gated recurrent unit. Axes: B rows, I inputs, H hidden units."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.cells._diagonal import first_memory
from unrolled.cells.cell import by_gate, check_step, first_input_weights
from unrolled.watch import show, watched

__all__ = ["MinGRU", "MinGRUState"]


class MinGRUState(NamedTuple):
    """``h`` (B, H): the hidden state, which is also the output."""

    h: Tensor


class MinGRU(nn.Module):
    """The minimal gated recurrent unit (minGRU): a `GRU` whose gate and candidate see only the input.

    ::

        z_t = σ(W_z x_t + b_z)                     update: 1 takes the new
        n_t = W_n x_t + b_n                        candidate, the paper's h̃
        h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ n_t      y_t = h_t

    One product computes all gates of all steps; each step is then only a multiply-add per unit. In return the gates
    cannot depend on the state, which several stacked layers make up for. Note that z_t = 1 keeps the old state in a
    `GRU` and takes the candidate here, as in the respective papers. b_z starts so that units remember over 2 to 128
    steps (`first_memory`).

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.

    Shape:
        x (B, I), state.h (B, H), y (B, H), all with the dtype of the weights, whose rows are z, n.

    Raises:
        UsageError: a size below 1.
        ShapeError: x or the state does not fit.

    Cost:
        2HI multiply-adds per row and step, and H for the state; H numbers of state.

    References:
        Feng et al. 2024, Were RNNs all we needed?, https://arxiv.org/abs/2410.01201

    Example:
        >>> cell = MinGRU(3, 4)
        >>> y, state = cell(torch.zeros(2, 3), cell.initial_state(2, torch.zeros(())))
        >>> y.shape
        torch.Size([2, 4])
    """

    kernel: ClassVar[str] = "mingru"
    plain: ClassVar[str] = "MinGRU"
    gates: ClassVar[tuple[str, ...]] = ("z", "n")
    equations: ClassVar[dict[str, str]] = {"z": "sigmoid(x_z)", "n": "x_n", "h": "(1 - z) * h_before + z * n"}

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight_ih, self.bias_ih = first_input_weights(2, input_size, hidden_size)
        with torch.no_grad():
            self.bias_ih[:hidden_size] = -first_memory(hidden_size)

    def forward(self, x: Tensor, state: MinGRUState) -> tuple[Tensor, MinGRUState]:
        """One step."""
        (h,) = check_step(self, x, state)
        if watched():  # changing a gate changes both terms
            z, n = show(self, "z n", *self.shares(x))
            a, b = 1 - z, z * n
        else:
            a, b = self.terms(x)
        (h,) = show(self, "h", a * h + b)
        return h, MinGRUState(h)

    def shares(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Z and n, for any number of steps at once."""
        z, n = linear(x, self.weight_ih, self.bias_ih).chunk(2, -1)
        return torch.sigmoid(z), n

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``a = 1 - z`` and ``b = z ⊙ n``, for any number of steps at once."""
        z, n = linear(x, self.weight_ih, self.bias_ih).chunk(2, -1)
        return torch.sigmoid(-z), torch.sigmoid(z) * n

    def products(self, x: Tensor, state: MinGRUState) -> dict[str, Tensor]:
        """W x + b of each gate; the state has no part in them."""
        return by_gate(self.gates, linear(x, self.weight_ih, self.bias_ih))

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.input_size}, {self.hidden_size}"

    def initial_state(self, batch: int, like: Tensor) -> MinGRUState:
        """Zeros of the dtype and device of ``like``."""
        return MinGRUState(like.new_zeros(batch, self.hidden_size))

    def weights(self) -> list[Tensor]:
        """``weight_ih`` (2H, I) and ``bias_ih`` (2H,)."""
        return [self.weight_ih, self.bias_ih]


MEMBER = MinGRU
