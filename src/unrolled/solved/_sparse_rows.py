"""Sparse matrices of features, row by row.

Axes: R rows, F features, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["SparseRows"]


@dataclass(frozen=True, slots=True)
class SparseRows:
    """A sparse matrix of features, in compressed rows.

    Shape:
        ids: (nonzero,) int64 in [0, size), the nonzero features of each row, row after row.
        values: (nonzero,) float32, their values.
        offsets: (R + 1,) int64, the bounds of the rows.
    """

    ids: np.ndarray
    values: np.ndarray
    offsets: np.ndarray
    size: int

    def times(self, weight: Tensor) -> Tensor:
        """The product with ``weight`` (F, K): (R, K)."""
        ids, values = torch.from_numpy(self.ids), torch.from_numpy(self.values)
        starts = torch.from_numpy(self.offsets)
        return F.embedding_bag(
            ids, weight, starts, mode="sum", per_sample_weights=values.to(weight.dtype), include_last_offset=True
        )

    def take(self, rows: np.ndarray) -> SparseRows:
        """The rows at ``rows``, in that order."""
        counts = np.diff(self.offsets)[rows]
        ends = np.cumsum(counts)
        at = np.repeat(self.offsets[rows] - (ends - counts), counts) + np.arange(counts.sum())
        return SparseRows(self.ids[at], self.values[at], np.concatenate([[0], ends]), self.size)

    def transposed(self) -> SparseRows:
        """The same matrix with rows and features exchanged."""
        rows = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        order = np.argsort(self.ids, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(self.ids, minlength=self.size))])
        return SparseRows(rows[order], self.values[order], offsets, len(self.offsets) - 1)
