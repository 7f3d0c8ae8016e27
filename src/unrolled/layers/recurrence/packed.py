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
from unrolled.layers.lengths import real_steps

__all__ = ["Packed", "unpack"]


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed sequence, padded to ``x`` (N, L, W), and what packs it again.

    ``rows`` and ``steps`` hold the row and step of each packed vector: all rows of the first step, of the second, ….
    """

    source: PackedSequence
    x: Tensor
    lengths: Tensor
    rows: Tensor
    steps: Tensor

    def data(self, y: Tensor) -> Tensor:
        """The vectors of ``y`` (N, L, ·), packed."""
        return y[self.rows, self.steps]

    def pad(self, data: Tensor) -> Tensor:
        """The inverse of `data`."""
        empty = data.new_zeros(len(self.lengths), int(self.lengths[0]), data.shape[1])
        return empty.index_put((self.rows, self.steps), data)

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
    if int(sizes[-1]) < 1 or bool((sizes[1:] > sizes[:-1]).any()) or sum(sizes.tolist()) != len(data):
        shown = ", ".join(map(str, sizes[:6].tolist())) + (", …" if len(sizes) > 6 else "")
        raise _malformed(owner, f"batch_sizes {shown} must be positive, never grow, and add up to {len(data)} vectors")
    rows = int(sizes[0])
    for name, order in (("sorted_indices", packed.sorted_indices), ("unsorted_indices", packed.unsorted_indices)):
        if order is not None and (order.shape != (rows,) or sorted(order.tolist()) != list(range(rows))):
            raise _malformed(owner, f"{name} must hold each of 0 … {rows - 1} once")
    _check_inverse(packed, owner)
    lengths = (sizes.unsqueeze(0) > torch.arange(rows).unsqueeze(1)).sum(1).to(data.device)
    steps, at = real_steps(lengths, len(sizes)).T.nonzero(as_tuple=True)
    bare = Packed(packed, data, lengths, at, steps)
    return Packed(packed, bare.pad(data), lengths, at, steps)


def _check_inverse(packed: PackedSequence, owner: str) -> None:
    order, back = packed.sorted_indices, packed.unsorted_indices
    if (order is None) != (back is None):
        raise _malformed(owner, "sorted_indices and unsorted_indices must be given together")
    if order is not None and back is not None and order[back].tolist() != list(range(len(order))):
        raise _malformed(owner, "unsorted_indices is not the inverse of sorted_indices")


def _malformed(owner: str, why: str) -> ShapeError:
    return ShapeError(f"{owner}: malformed packed sequence: {why}; make it with pack_padded_sequence, or give lengths=")
