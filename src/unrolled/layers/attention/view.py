"""Attention masks: which steps each step sees.

Axes: B rows, T new steps, N remembered steps, H heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.layers.attention.cache import Past
from unrolled.layers.attention.positions import slopes
from unrolled.layers.lengths import real_steps

__all__ = ["Block", "View"]

_LARGEST = 2**24  # most entries of a mask: longer rows are processed in blocks, so that memory does not grow with T²
_SMALLEST = 64  # fewest queries of a block with a window: smaller blocks would cost more calls than they save


class Block(NamedTuple):
    """Some queries, the keys they may see, and a mask: ``None``: all visible; bool: True is visible; float: added."""

    queries: slice
    keys: slice
    mask: Tensor | None
    causal: bool = False  # query n sees the first n keys


class View:
    """The attention masks of one pass over T new steps; all blocks of a transformer share them.

    ::

        query t sees key s   ⇔   s ≤ t (if causal)  and  abs(t - s) ≤ attention_window (if there is one)  and  s is real

    Every query sees at least itself, even at padding, so that no softmax runs over nothing.

    Args:
        past: the remembered steps; its ``attention_window`` is also how far a query sees.
        heads: H.
        causal: hide later steps.
        alibi: subtract from each score in proportion to the distance.
    """

    def __init__(self, past: Past, heads: int, *, causal: bool, alibi: bool) -> None:
        self.past, self.heads, self.causal, self.alibi = past, heads, causal, alibi
        self._total = past.held + past.steps  # the keys
        limited = past.attention_window is not None and past.steps > 1 and past.attention_window < self._total - 1
        # How far a query sees; None: all steps.
        self._near = past.attention_window if limited else None
        self._apart = past.counts is not None or (not causal and past.lengths is not None)  # each row has its own mask
        self._kept_masks: dict[tuple[int, int, int], Tensor] = {}

    def blocks(self) -> Iterator[Block]:
        """Yield the masks in blocks of bounded size."""
        past, steps = self.past, self.past.steps
        aligned = past.counts is None and not self.alibi and self._near is None
        if aligned and (steps == 1 if self.causal else past.lengths is None):
            yield Block(slice(0, steps), slice(0, self._total), None)
        elif aligned and self.causal and past.held == 0:
            # In a row without a past, padding comes after all real steps, so a causal mask hides it.
            yield Block(slice(0, steps), slice(0, steps), None, causal=True)
        else:
            size = self._block_size()
            for begin in range(0, steps, size):
                end = min(begin + size, steps)
                keys = self._reach(begin, end)
                yield Block(slice(begin, end), keys, self._mask(begin, end, keys, keep=size >= steps))

    def whole_mask(self) -> Tensor:
        """The mask of all queries and keys at once, for inspection."""
        return self._mask(0, self.past.steps, slice(0, self._total), keep=False)

    def _block_size(self) -> int:
        size, total = self.past.steps, self._total
        if self._near is not None:
            size = min(size, max(self._near, _SMALLEST))
            total = min(total, size + (1 if self.causal else 2) * self._near)
        per_query = total * (self.past.rows if self._apart else 1) * (self.heads if self.alibi else 1)
        return max(1, min(size, _LARGEST // max(1, per_query)))

    def _reach(self, begin: int, end: int) -> slice:
        """The keys that any of the queries ``begin … end`` may see."""
        last = self.past.held + end if self.causal else self._total
        if self._near is None:
            return slice(0, last)
        first = self.past.held + begin - self._near
        if self.past.counts is not None and begin < self._near:
            first = 0  # there is a gap between a short row's remembered steps and the new ones
        return slice(max(0, first), last if self.causal else min(self._total, end + self._near))

    def _mask(self, begin: int, end: int, keys: slice, *, keep: bool) -> Tensor:
        """A mask (1 or B, 1 or H, queries, keys); masks of the same form are reused if all rows share them."""
        if not (keep or (self._near is not None and not self._apart)):
            return self._new_mask(begin, end, keys)
        form = (end - begin, keys.stop - keys.start, self.past.held + begin - keys.start)
        if form not in self._kept_masks:
            self._kept_masks[form] = self._new_mask(begin, end, keys)
        return self._kept_masks[form]

    def _new_mask(self, begin: int, end: int, keys: slice) -> Tensor:
        past, like = self.past, self.past.like
        queries = torch.arange(begin, end, device=like.device).unsqueeze(1)
        distance = queries - past.places[:, keys].unsqueeze(1)  # (1 or B, queries, keys)
        far = distance.abs()
        seen = distance >= 0 if self.causal else torch.ones_like(distance, dtype=torch.bool)
        if past.attention_window is not None:
            seen = seen & (far <= past.attention_window)
        if not self.causal and past.lengths is not None:
            real = real_steps(past.lengths, past.steps)[:, keys].unsqueeze(1)
            seen = seen & (real | (distance == 0))
        if not self.alibi:
            return seen.unsqueeze(1)
        slope = torch.tensor(slopes(self.heads), dtype=like.dtype, device=like.device).view(-1, 1, 1)
        bias = -slope * far.unsqueeze(1)
        return bias.masked_fill(~seen.unsqueeze(1), float("-inf"))
