"""The reverse complement: a DNA or RNA sequence read from its end, with each letter replaced by its complement.

Axes: B rows, T steps, W width, V ids, N rows of all data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from unrolled.data.plans.order import Coins
from unrolled.data.plans.segments import RawBatch, Segments, Transform

__all__ = ["Strands"]


@dataclass(frozen=True, slots=True, eq=False)
class Strands:
    """How to read the columns of a sequence from its other strand.

    Attributes:
        timed: the columns with a time axis, which are reversed.
        complements: column name -> (V,) int64, the complement of each id on the other strand.
    """

    timed: tuple[str, ...]
    complements: Mapping[str, np.ndarray]

    def turn(self, inputs: dict[str, Tensor], lengths: Tensor, chosen: Tensor | None = None) -> dict[str, Tensor]:
        """Reverse-complement the rows of a batch.

        Every column with a time axis is reversed within its row, and letters are replaced by their complements. Padding
        stays in place; a column without time is unchanged.

        Args:
            inputs: column name -> values.
            lengths: the real steps of each row.
            chosen: the rows to turn; ``None``: all.

        Shape:
            inputs (B, T) int64, (B, T, W) float32, or without time (B,) or (B, W); lengths (B,) int64; chosen (B,)
            bool.

        Cost: O(B·T·W) copies.

        References:
            Shrikumar, Greenside, Kundaje 2017, Reverse-complement parameter sharing, https://doi.org/10.1101/103663
        """
        turned = dict(inputs)
        for name in self.timed:
            column = inputs[name]
            steps = torch.arange(column.shape[1], device=column.device)
            real = steps < lengths[:, None]  # (B, T)
            if chosen is not None:
                real = real & chosen[:, None]
            at = torch.where(real, lengths[:, None] - 1 - steps, steps)  # (B, T)
            values = column[torch.arange(len(column), device=column.device)[:, None], at]
            if name in self.complements:
                table = torch.from_numpy(self.complements[name]).to(column.device)  # (V,)
                values = torch.where(real, table[values], values)
            turned[name] = values
        return turned

    def turning(self, chosen: np.ndarray | Coins) -> Transform:
        """A transform that turns the rows for which ``chosen``, (N,) bool over all data, is True."""

        def turn(raw: RawBatch, segments: Segments) -> RawBatch:
            inputs = {name: torch.from_numpy(values) for name, values in raw.inputs.items()}
            lengths, rows = torch.from_numpy(segments.lengths), torch.from_numpy(chosen[segments.rows])
            turned = self.turn(inputs, lengths, rows)
            return replace(raw, inputs={name: values.numpy() for name, values in turned.items()})

        return turn
