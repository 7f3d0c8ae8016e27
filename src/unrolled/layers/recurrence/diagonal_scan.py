"""The diagonal recurrence over time. Axes: B rows, T steps, H units."""

from __future__ import annotations

from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.kernels.fused import suits
from unrolled.kernels.plain import plain_scan
from unrolled.kernels.scan import scan as fused_scan
from unrolled.layers.lengths import check_lengths

__all__ = ["scan"]


def scan(
    a: Tensor, b: Tensor, h_0: Tensor | None = None, lengths: Tensor | None = None, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """Every state of an elementwise linear recurrence.

    ::

        h_t = a_t ⊙ h_{t-1} + b_t        for t = 1 … length of the row;  beyond it h_t = 0 and nothing is read

    It runs step by step, without logarithms or quotients of products, so it is exact up to the rounding of its
    multiply-adds, whatever the signs and sizes of a. The CPU kernels vectorise over units; without kernels it is a loop
    in torch.

    Args:
        a: the factors, of any sign.
        b: the summands.
        h_0: the state before the first step; ``None``: zeros.
        lengths: (B,) integers, 0 … T; ``None``: every step is real.
        reverse: run from each row's last real step back to its first.

    Shape:
        a, b (B, T, H) and h_0 (B, H), of one floating dtype -> h (B, T, H), and h_n (B, H), the state after each row's
        last real step (with ``reverse``: its first; of a row of length 0: h_0).

    Raises:
        ShapeError: a, b, h_0 or lengths do not fit each other.

    Cost:
        H multiply-adds per row and step, 2H in the backward pass. Only a, b and h are kept.

    References:
        Martin and Cundy 2018, Parallelizing linear recurrent neural nets over sequence length,
        https://arxiv.org/abs/1709.04057

    Example:
        >>> import torch
        >>> half, one = torch.full((1, 3, 1), 0.5), torch.ones(1, 3, 1)
        >>> h, h_n = scan(half, one)
        >>> h.flatten().tolist(), h_n.tolist()
        ([1.0, 1.5, 1.75], [[1.75]])
    """
    if a.dim() != 3 or not a.is_floating_point():
        raise ShapeError(f"scan: a is {tuple(a.shape)} {a.dtype}, expected (B, T, H) of a floating dtype")
    expected = {"b": tuple(a.shape), "h_0": (a.shape[0], a.shape[2])}
    first = a.new_zeros(expected["h_0"]) if h_0 is None else h_0
    for name, tensor in (("b", b), ("h_0", first)):
        if tensor.shape != expected[name] or tensor.dtype != a.dtype or tensor.device != a.device:
            raise ShapeError(
                f"scan: {name} is {tuple(tensor.shape)} {tensor.dtype} on {tensor.device}, expected {expected[name]} "
                f"{a.dtype} on {a.device}, as of a with shape {tuple(a.shape)}"
            )
    lengths = check_lengths(lengths, a, "scan")
    if suits(a):
        return fused_scan(a, b, lengths, first, reverse)
    return plain_scan(a, b, first, lengths, reverse)
