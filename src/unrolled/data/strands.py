"""The other strand: a sequence of DNA or RNA read from its end, each letter by its complement.

Axes: B rows, T steps, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.data.examples import Examples

__all__ = ["other_strand"]


def other_strand(
    inputs: dict[str, Tensor], lengths: Tensor, examples: Examples, chosen: Tensor | None = None
) -> dict[str, Tensor]:
    """The inputs of a batch as its rows' other strands have them.

    Every column with a time axis is turned round within its row, and the letters of `Examples.complements` are changed
    for those that stand opposite. Padding stays where and what it is; a column without time is left alone.

    Args:
        inputs: column name -> values.
        lengths: the real steps of each row.
        examples: where the batch comes from.
        chosen: the rows to turn; ``None``: all.

    Shape:
        inputs (B, T) int64, (B, T, W) float32, or without time (B,) or (B, W); lengths (B,) int64; chosen (B,) bool.

    Cost: O(B·T·W) copies.

    References:
        Shrikumar, Greenside, Kundaje 2017, Reverse-complement parameter sharing, https://doi.org/10.1101/103663
    """
    turned = dict(inputs)
    for name, column in inputs.items():
        if not examples.specs[name].time:
            continue
        steps = torch.arange(column.shape[1], device=column.device)
        real = steps < lengths[:, None]  # (B, T)
        if chosen is not None:
            real = real & chosen[:, None]
        at = torch.where(real, lengths[:, None] - 1 - steps, steps)  # (B, T)
        values = column[torch.arange(len(column), device=column.device)[:, None], at]
        if name in examples.complements:
            table = torch.from_numpy(examples.complements[name]).to(column.device)  # (V,)
            values = torch.where(real, table[values], values)
        turned[name] = values
    return turned
