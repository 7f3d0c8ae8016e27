"""Check and pad torch's packed sequences; a malformed one would crash torch.

Axes: N rows, longest first, L steps, W width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from unrolled.cells.cell import check_input
from unrolled.errors import ShapeError

__all__ = ["Packed", "unpack"]


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed sequence, padded to ``x`` (N, L, W), and what packs it again.

    ``lengths`` is ``None`` where all rows are equally long: then ``x`` and `data` are views, and nothing is copied.
    ``places`` holds the place of each packed vector among the L·N of all steps, with all rows of a step side by side.
    """

    source: PackedSequence
    x: Tensor
    lengths: Tensor | None
    places: Tensor | None

    def data(self, y: Tensor) -> Tensor:
        """The vectors of ``y`` (N, L, ·), packed."""
        every = y.transpose(0, 1).reshape(-1, y.shape[2])
        return every if self.places is None else every.index_select(0, self.places)

    def pad(self, data: Tensor) -> Tensor:
        """The inverse of `data`."""
        return _padded(data, self.places, len(self.source.batch_sizes), len(self.x))

    def pack(self, y: Tensor) -> PackedSequence:
        """``y`` (N, L, ·) as a packed sequence like the source."""
        source = self.source
        return PackedSequence(self.data(y), source.batch_sizes, source.sorted_indices, source.unsorted_indices)

    def sort(self, state: Tensor) -> Tensor:
        """A state (·, N, ·) in the order of the packed rows."""
        order = self.source.sorted_indices
        return state if order is None else state.index_select(1, order)

    def unsort(self, state: Tensor) -> Tensor:
        """The inverse of `sort`."""
        order = self.source.unsorted_indices
        return state if order is None else state.index_select(1, order)


def unpack(packed: PackedSequence, width: int, weight: Tensor, owner: str) -> Packed:
    """Check and pad ``packed``.

    Raises:
        ShapeError: it is not what `torch.nn.utils.rnn.pack_padded_sequence` would have made.
    """
    data, sizes = packed.data, packed.batch_sizes
    check_input(data, "(all steps, I)", width, weight, f"{owner}: packed")
    if sizes.dim() != 1 or sizes.dtype != torch.int64 or sizes.device.type != "cpu" or len(sizes) == 0:
        raise _malformed(owner, f"batch_sizes is {tuple(sizes.shape)} {sizes.dtype}, expected (L,) int64 on the CPU")
    counts = sizes.tolist()
    if counts[-1] < 1 or sum(counts) != len(data) or counts != sorted(counts, reverse=True):
        shown = ", ".join(map(str, counts[:6])) + (", …" if len(counts) > 6 else "")
        raise _malformed(owner, f"batch_sizes {shown} must be positive, never grow, and add up to {len(data)} vectors")
    rows = counts[0]
    _check_orders(packed, rows, owner)
    if counts[-1] == rows:
        return Packed(packed, _padded(data, None, len(counts), rows), None, None)
    real = sizes.unsqueeze(1) > torch.arange(rows)  # (L, N)
    places = real.flatten().nonzero().squeeze(1).to(data.device)
    return Packed(packed, _padded(data, places, len(counts), rows), real.sum(0).to(data.device), places)


def _padded(data: Tensor, places: Tensor | None, steps: int, rows: int) -> Tensor:
    """``data`` at ``places`` (``None``: at all) of the L·N vectors, as (N, L, ·); 0 elsewhere."""
    if places is not None:
        data = data.new_zeros(steps * rows, data.shape[1]).index_copy(0, places, data)
    return data.reshape(steps, rows, data.shape[1]).transpose(0, 1)


def _check_orders(packed: PackedSequence, rows: int, owner: str) -> None:
    order, back = packed.sorted_indices, packed.unsorted_indices
    if _are_inverse(order, back, rows):
        return
    for name, indices in (("sorted_indices", order), ("unsorted_indices", back)):
        if indices is not None and (indices.shape != (rows,) or sorted(indices.tolist()) != list(range(rows))):
            raise _malformed(owner, f"{name} must hold each of 0 … {rows - 1} once")
    if (order is None) != (back is None):
        raise _malformed(owner, "sorted_indices and unsorted_indices must be given together")
    raise _malformed(owner, "unsorted_indices is not the inverse of sorted_indices")


def _are_inverse(order: Tensor | None, back: Tensor | None, rows: int) -> bool:
    """Whether both are missing, or each is a permutation of the rows and undoes the other."""
    if order is None or back is None:
        return order is back
    if order.shape != (rows,) or back.shape != (rows,) or order.dtype != torch.int64 or back.dtype != torch.int64:
        return False
    try:
        return torch.equal(order.cpu().index_select(0, back.cpu()), torch.arange(rows))
    except IndexError:  # one is out of range
        return False


def _malformed(owner: str, why: str) -> ShapeError:
    return ShapeError(f"{owner}: malformed packed sequence: {why}; make it with pack_padded_sequence, or give lengths=")
