"""What is left after the way back through time: the gradients of the weights and of x, each one product over all steps.

Axes: B rows, T steps, I inputs, H hidden units, G gates, P = H rounded up to a whole vector, N real steps of all rows.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from unrolled.kernels.memory import reused

__all__ = ["Flat", "gradients"]


class Flat:
    """x and the states before each step as matrices with one line for each real step, in the order of ``d_gates``.

    Args:
        x: the inputs (B, T, I).
        y: the outputs (B, T, H), in memory as the kernels leave them.
        h_0: the first states (B, H).
        lengths: (B,) or ``None``.
        reverse: whether steps ran from each row's end.
        time_major: without lengths, the order of the lines: time first, or row after row.
    """

    def __init__(
        self, x: Tensor, y: Tensor, h_0: Tensor, lengths: Tensor | None, reverse: bool, time_major: bool
    ) -> None:
        self._x, self._y, self._h_0, self._lengths = x, y, h_0, lengths
        self._reverse, self._time_major = reverse, time_major

    @cached_property
    def _places(self) -> Tensor:
        """(N,): b · T + t of each real step."""
        assert self._lengths is not None
        steps = torch.arange(self._x.shape[1])
        return (steps < self._lengths.unsqueeze(1)).flatten().nonzero().squeeze(1)

    def x(self) -> Tensor:
        """(N, I)."""
        if self._lengths is not None:
            return self._x.reshape(-1, self._x.shape[2]).index_select(0, self._places)
        x = self._x.transpose(0, 1) if self._time_major else self._x
        return x.reshape(-1, x.shape[2])

    def unflattened(self, d_x: Tensor) -> Tensor:
        """(N, I) -> (B, T, I), 0 beyond each row's length."""
        rows, steps, inputs = self._x.shape
        if self._lengths is not None:
            flat = d_x.new_zeros(rows * steps, inputs).index_copy_(0, self._places, d_x).view(rows, steps, inputs)
            return flat.transpose(0, 1).contiguous().transpose(0, 1) if self._time_major else flat
        return d_x.view(steps, rows, inputs).transpose(0, 1) if self._time_major else d_x.view(rows, steps, inputs)

    def times_states(self, d: Tensor) -> Tensor:
        """``dᵀ`` · the states before each step: (N, W) -> (W, H). Spoils ``d``, so it comes last.

        The state before a step is the output of the step before, so y itself is the matrix, a line further on; what
        stands there before a row's first step is of another row, and is taken out by zeros in ``d``.
        """
        rows, steps, units = self._y.shape
        if self._lengths is not None:
            real = (self._lengths > 0).nonzero().squeeze(1)
            ends = self._lengths.cumsum(0)
            first = (ends - 1 if self._reverse else ends - self._lengths).index_select(0, real)
            shift = (self._places + (1 if self._reverse else -1)).clamp(0, rows * steps - 1)
            before = self._y.reshape(-1, units).index_select(0, shift)
            before[first] = self._h_0.index_select(0, real)
            return d.t() @ before
        if self._time_major:
            y, step = self._y.transpose(0, 1).reshape(-1, units), rows
            starts = slice(len(d) - rows, None) if self._reverse else slice(0, rows)
        else:
            y, step = self._y.reshape(-1, units), 1
            starts = slice(steps - 1, None, steps) if self._reverse else slice(0, None, steps)
        first_d = d[starts].clone()
        found = first_d.t() @ self._h_0
        d[starts] = 0
        later, earlier = slice(step, None), slice(0, len(d) - step)
        if self._reverse:
            later, earlier = earlier, later
        return found.addmm_(d[later].t(), y[earlier])


def gradients(
    kind: str, flat: Flat, d_gates: Tensor, d_bias: Tensor, w_ih: Tensor, units: int, wanted: list[bool]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The gradients of x, w_ih, w_hh, b_ih and b_hh; empty where not ``wanted`` (x, w_ih, w_hh, both biases).

    Args:
        kind: the cell.
        flat: the inputs and states.
        d_gates: (N, G·P), of a GRU (N, 4·P) in the order n, r, z, n·r; spoiled.
        d_bias: (G·P,), of a GRU (4·P,): the sums of its columns.
        w_ih: (G·H, I).
        units: H.
        wanted: four times whether.
    """
    blocks = 4 if kind == "gru" else w_ih.shape[0] // units
    P, none = d_gates.shape[1] // blocks, w_ih.new_empty(0)
    # Of a GRU n, r, z meet x, and r, z, n·r meet h.
    of_x, of_h = (d_gates[:, : 3 * P], d_gates[:, P:]) if kind == "gru" else (d_gates, d_gates)
    d_x, d_w_ih, d_w_hh, d_b_ih, d_b_hh = none, none.clone(), none.clone(), none.clone(), none.clone()
    if wanted[0]:
        d_x = flat.unflattened(
            torch.mm(of_x, _padded(kind, w_ih, units, P), out=reused((len(of_x), w_ih.shape[1]), w_ih.dtype))
        )
    if wanted[1]:
        d_w_ih = _real(kind, of_x.t() @ flat.x(), units, P)
    if wanted[3]:
        d_b_ih = _real(kind, d_bias[: 3 * P] if kind == "gru" else d_bias, units, P)
        d_b_hh = _real("", d_bias[P:], units, P).clone() if kind == "gru" else d_b_ih.clone()
    if wanted[2]:
        d_w_hh = _real("", flat.times_states(of_h), units, P)
    return d_x, d_w_ih, d_w_hh, d_b_ih, d_b_hh


def _padded(kind: str, w: Tensor, units: int, P: int) -> Tensor:
    """(G·H, I) -> (G·P, I) in the order of ``d_gates``."""
    if kind == "gru":
        w = w.roll(units, 0)
    if units == P:
        return w
    gates = w.shape[0] // units
    return torch.nn.functional.pad(w.view(gates, units, -1), (0, 0, 0, P - units)).flatten(0, 1)


def _real(kind: str, gradient: Tensor, units: int, P: int) -> Tensor:
    """(G·P, …) in the order of ``d_gates`` -> (G·H, …) in the order of the weights, with memory of its own."""
    if units != P:
        gradient = gradient.view(-1, P, *gradient.shape[1:])[:, :units].flatten(0, 1)
    return gradient.roll(-units, 0) if kind == "gru" else gradient.contiguous()
