"""The gated recurrent unit, in the variant of torch and cuDNN. Axes: B rows, I inputs, H hidden units."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.cells.cell import Operator, by_gate, check_step, first_weights
from unrolled.watch import Owner, shows

__all__ = ["GRU", "GRUState", "gru_step"]


class GRUState(NamedTuple):
    """``h`` (B, H): the hidden state, which is also the output."""

    h: Tensor


class GRU(nn.Module):
    """The gated recurrent unit (GRU): a gate decides how far the state moves towards a candidate.

    ::

        r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)                 reset
        z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)                 update: 1 keeps the old state
        n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t-1} + b_hn))      candidate
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}                          y_t = h_t

    This is the variant of torch and cuDNN, which applies the reset gate *after* the product with W_hn; textbooks apply
    it before, and write Γ_u for 1 - z_t. `unrolled.reference` has both.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.

    Shape:
        x (B, I), state.h (B, H), y (B, H), all with the dtype of the weights, whose rows are r, z, n.

    Raises:
        UsageError: a size below 1.
        ShapeError: x or the state does not fit.

    Cost:
        3H(I + H) multiply-adds per row and step; H numbers of state.

    References:
        Cho et al. 2014, https://arxiv.org/abs/1406.1078

    Example:
        >>> cell = GRU(3, 4)
        >>> y, state = cell(torch.zeros(2, 3), cell.initial_state(2, torch.zeros(())))
        >>> y.shape
        torch.Size([2, 4])
    """

    kernel: ClassVar[str] = "gru"
    plain: ClassVar[str] = "nn.GRU"
    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    operator: ClassVar[Operator] = Operator("GRU", ("z", "r", "n"), attributes={"linear_before_reset": 1})
    equations: ClassVar[dict[str, str]] = {
        "r": "sigmoid(x_r + h_r)",
        "z": "sigmoid(x_z + h_z)",
        "n": "tanh(x_n + r * h_n)",
        "h": "(1 - z) * n + z * h_before",
    }

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        weights = first_weights(3, input_size, hidden_size)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = weights

    def forward(self, x: Tensor, state: GRUState) -> tuple[Tensor, GRUState]:
        """One step."""
        (h,) = check_step(self, x, state)
        of_x, of_h = linear(x, self.weight_ih, self.bias_ih), linear(h, self.weight_hh, self.bias_hh)  # (B, 3H)
        h = gru_step(self, of_x, of_h, h)
        return h, GRUState(h)

    def products(self, x: Tensor, state: GRUState) -> dict[str, Tensor]:
        """W x + b and W h + b of each gate."""
        of_x, of_h = linear(x, self.weight_ih, self.bias_ih), linear(state.h, self.weight_hh, self.bias_hh)
        return by_gate(self.gates, of_x, of_h)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.input_size}, {self.hidden_size}"

    def initial_state(self, batch: int, like: Tensor) -> GRUState:
        """Zeros of the dtype and device of ``like``."""
        return GRUState(like.new_zeros(batch, self.hidden_size))

    def weights(self) -> list[Tensor]:
        """The weights, in the order of ``torch._VF``."""
        return [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]


def gru_step(owner: Owner, of_x: Tensor, of_h: Tensor, h: Tensor) -> Tensor:
    """H after a step, from the products of its weights.

    Args:
        owner: whose gates and state are shown.
        of_x: (B, 3H), of the input.
        of_h: (B, 3H), of the state.
        h: (B, H), before the step.
    """
    (x_r, x_z, x_n), (h_r, h_z, h_n) = of_x.chunk(3, -1), of_h.chunk(3, -1)
    look = shows(owner)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    if look:
        r, z = look("r z", r, z)
    n = torch.tanh(x_n + r * h_n)
    if look:
        (n,) = look("n", n)
    h = (1 - z) * n + z * h
    if look:
        (h,) = look("h", h)
    return h


MEMBER = GRU
