"""The gated recurrent unit as its paper and textbooks write it. Axes: B rows, I inputs, H hidden units."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.cells.cell import Operator, by_gate, check_step, first_weights
from unrolled.cells.gru import GRUState
from unrolled.program.instructions import Source, Vector
from unrolled.program.program import Program
from unrolled.watch import show

__all__ = ["GRUTextbook"]


class GRUTextbook(nn.Module):
    """The gated recurrent unit with the reset gate *before* the product (Keras: ``GRU(reset_after=False)``).

    ::

        r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)                 reset
        z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)                 update: 1 keeps the old state
        n_t = tanh(W_in x_t + b_in + W_hn (r_t ⊙ h_{t-1}) + b_hn)      candidate
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}                          y_t = h_t

    `unrolled.cells.gru.GRU`, torch and cuDNN apply the reset gate after the product, which is faster: there are kernels
    for it, and none for this one. No choice of weights makes the two equal.

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
        Cho et al. 2014, https://arxiv.org/abs/1406.1078; Chung et al. 2014, https://arxiv.org/abs/1412.3555

    Example:
        >>> cell = GRUTextbook(3, 4)
        >>> y, state = cell(torch.zeros(2, 3), cell.initial_state(2, torch.zeros(())))
        >>> y.shape
        torch.Size([2, 4])
    """

    plain: ClassVar[str] = "TextbookGRU"
    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")
    operator: ClassVar[Operator] = Operator("GRU", ("z", "r", "n"), attributes={"linear_before_reset": 0})
    equations: ClassVar[dict[str, str]] = {
        "r": "sigmoid(x_r + h_r)",
        "z": "sigmoid(x_z + h_z)",
        "n": "tanh(x_n + h_n)",
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
        both = 2 * self.hidden_size  # rows of the gates
        x_r, x_z, x_n = linear(x, self.weight_ih, self.bias_ih).chunk(3, 1)
        h_r, h_z = linear(h, self.weight_hh[:both], self.bias_hh[:both]).chunk(2, 1)
        r, z = show(self, "r z", torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z))
        (n,) = show(self, "n", torch.tanh(x_n + linear(r * h, self.weight_hh[both:], self.bias_hh[both:])))
        (h,) = show(self, "h", (1 - z) * n + z * h)
        return h, GRUState(h)

    def products(self, x: Tensor, state: GRUState) -> dict[str, Tensor]:
        """W x + b and W h + b of each gate; ``h_n`` is W_hn (r ⊙ h) + b_hn."""
        found = by_gate(
            self.gates, linear(x, self.weight_ih, self.bias_ih), linear(state.h, self.weight_hh, self.bias_hh)
        )
        reset = torch.sigmoid(found["x_r"] + found["h_r"]) * state.h
        both = 2 * self.hidden_size
        return {**found, "h_n": linear(reset, self.weight_hh[both:], self.bias_hh[both:])}

    def write_step(self, program: Program, name: str, x: Vector) -> Vector:
        """Write a step that reads ``x`` (I,), and return its output (H,): the product h_n is not linear in h."""
        size = self.hidden_size
        h, z, reset = (
            program.state(f"{name}_h", size),
            program.local(f"{name}_z", size),
            program.local(f"{name}_rh", size),
        )
        of_h = dict(zip(self.gates, (h, h, reset), strict=True))
        values: dict[str, Source] = {"h_before": h, "z_now": z}
        for place, gate in enumerate(self.gates):
            rows = slice(place * size, (place + 1) * size)
            values[f"x_{gate}"] = program.dot(f"{name}_x_{gate}", self.weight_ih[rows], self.bias_ih[rows], x)
            values[f"h_{gate}"] = program.dot(f"{name}_h_{gate}", self.weight_hh[rows], self.bias_hh[rows], of_h[gate])
        first = {"r": self.equations["r"], "z": self.equations["z"], "reset": "r * h_before"}
        program.each(first, values, {"z": z, "reset": reset}, size)
        then = {"z": "z_now", "n": self.equations["n"], "h": self.equations["h"]}
        program.each(then, values, {"h": h}, size)
        return h

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.input_size}, {self.hidden_size}"

    def initial_state(self, batch: int, like: Tensor) -> GRUState:
        """Zeros of the dtype and device of ``like``."""
        return GRUState(like.new_zeros(batch, self.hidden_size))

    def weights(self) -> list[Tensor]:
        """The weights, in the order of ``torch._VF``."""
        return [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]


MEMBER = GRUTextbook
