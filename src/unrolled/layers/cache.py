"""What attention keeps of the steps before, and which of them a step sees.

Axes: B rows, T new steps, N remembered steps, S steps of a memory, G key heads, H heads, D head width.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.layers.lengths import real_steps
from unrolled.layers.positions import slopes

__all__ = ["Block", "KVCache", "Memory", "View", "check_cache", "check_memory", "seen_memory"]

_LARGEST = 2**24  # entries of one mask: longer rows are attended to in blocks, so that memory does not grow with T²
_SMALLEST = 64  # queries of a block that sees a few keys alone: fewer would cost more calls than they save


class KVCache(NamedTuple):
    """The keys and values of the steps so far.

    ``keys`` and ``values`` (B, N, G, D): each row's own at the left, in order, and zeros beyond; N is the largest count
    of a row. ``steps`` (B,) int64: all steps that there were, of which a layer with a ``sight`` keeps the last ones.
    """

    keys: Tensor
    values: Tensor
    steps: Tensor

    @property
    def ragged(self) -> tuple[str, ...]:
        """The parts that are as long as the longest row."""
        return "keys", "values"


class Memory(NamedTuple):
    """What is attended to, projected once: ``keys`` (B, S, …), ``values`` (B, S, …), ``lengths`` (B,) int64."""

    keys: Tensor
    values: Tensor
    lengths: Tensor

    @property
    def ragged(self) -> tuple[str, ...]:
        """The parts that are as long as the longest row."""
        return "keys", "values"


class Block(NamedTuple):
    """Some queries, the keys that they may see, and a mask: ``None``: all; bool: True is seen; float: added."""

    queries: slice
    keys: slice
    mask: Tensor | None
    causal: bool = False  # the first query sees the first key alone, and so on


class View:
    """Who sees whom in one pass over T new steps; every layer shares it.

    ::

        query t sees key s   ⇔   s ≤ t (if causal)  and  abs(t - s) ≤ sight (if there is one)  and  s is real

    Every query sees itself at least, be it padding, so that no softmax is taken over nothing.

    Args:
        shape: B and T of the new steps, and the H heads.
        lengths: (B,) of the new steps, checked; ``None``: all are real.
        steps: (B,) int64, those before; ``None``: this is the beginning.
        like: gives dtype and device.
        causal: whether later steps are hidden.
        sight: how far a query sees; ``None``: as far as there is anything.
        alibi: take from each score in proportion to the distance.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        lengths: Tensor | None,
        steps: Tensor | None,
        like: Tensor,
        *,
        causal: bool,
        sight: int | None,
        alibi: bool,
    ) -> None:
        (self.rows, self.steps, self.heads), self.lengths, self.like = shape, lengths, like
        self.causal, self.sight, self.alibi = causal, sight, alibi
        low, high = (0, 0) if steps is None or self.rows == 0 else (int(bound) for bound in steps.aminmax())
        least, self.held = (low, high) if sight is None else (min(low, sight), min(high, sight))
        self._before = steps
        # None: every row remembers as many steps, so that those of all rows stand side by side
        counts = steps if steps is None or sight is None else steps.clamp(max=sight)
        self._counts = None if least == self.held else counts
        self._first: int | Tensor = low if steps is None or low == high else steps
        self._kept_masks: dict[tuple[int, int, int], Tensor] = {}

    @cached_property
    def positions(self) -> Tensor:
        """(T,) int64: the step numbers; (B, T) where rows stand at different ones."""
        here = torch.arange(self.steps, device=self.like.device)
        return here + (self._first if isinstance(self._first, int) else self._first.unsqueeze(1))

    @cached_property
    def after(self) -> Tensor:
        """(B,) int64: the steps that there have been after these."""
        new = torch.full((self.rows,), self.steps, device=self.like.device) if self.lengths is None else self.lengths
        return new if self._before is None else self._before + new

    def joined(self, before: Tensor | None, new: Tensor) -> Tensor:
        """Remembered and new keys (B, N + T, G, D)."""
        if before is None or self.held == 0:
            return new
        return torch.cat([before[:, : self.held].to(new.dtype), new], 1)

    def kept(self, joined: Tensor) -> Tensor:
        """What of ``joined`` is to be remembered: the real steps, at the left, the last ``sight`` of them."""
        if self._kept is None:
            begin = 0 if self.sight is None else max(0, joined.shape[1] - self.sight)
            return joined[:, begin:].to(self.like.dtype)
        place, real = self._kept
        rows, total, heads, width = joined.shape
        flat = joined.reshape(rows * total, heads * width).index_select(0, place.flatten())
        kept = torch.where(real[..., None, None], flat.view(*place.shape, heads, width), joined.new_zeros(()))
        return kept.to(self.like.dtype)  # that of the first state, where mixed precision made keys of another

    def blocks(self) -> Iterator[Block]:
        """Who sees whom, in pieces whose masks are of bearable size."""
        whole, total = slice(0, self.steps), self.held + self.steps
        aligned = self._counts is None and not self.alibi and not self._limited
        if aligned and (self.steps == 1 if self.causal else self.lengths is None):
            yield Block(whole, slice(0, total), None)
        elif aligned and self.causal and self.held == 0:
            yield Block(whole, whole, None, causal=True)  # of a row that begins here, padding lies in the future
        else:
            size = self._block_size(total)
            for begin in range(0, self.steps, size):
                end = min(begin + size, self.steps)
                keys = self._reach(begin, end, total)
                yield Block(slice(begin, end), keys, self._mask(begin, end, keys, keep=size >= self.steps))

    def whole_mask(self) -> Tensor:
        """The mask of all queries and keys at once, to look at."""
        keys = slice(0, self.held + self.steps)
        return self._mask(0, self.steps, keys, keep=False)

    @property
    def _limited(self) -> bool:
        return self.sight is not None and self.sight < self.held + self.steps - 1 and self.steps > 1

    @property
    def _apart(self) -> bool:
        """Whether each row needs a mask of its own."""
        return self._counts is not None or (not self.causal and self.lengths is not None)

    def _block_size(self, total: int) -> int:
        size = self.steps
        if self._limited and self.sight is not None:
            size = min(size, max(self.sight, _SMALLEST))
            total = min(total, size + (1 if self.causal else 2) * self.sight)
        per_query = total * (self.rows if self._apart else 1) * (self.heads if self.alibi else 1)
        return max(1, min(size, _LARGEST // max(1, per_query)))

    def _reach(self, begin: int, end: int, total: int) -> slice:
        """The keys that the queries ``begin … end`` may see at all."""
        last = self.held + end if self.causal else total
        if not self._limited or self.sight is None:
            return slice(0, last)
        first = self.held + begin - self.sight
        if self._counts is not None and begin < self.sight:
            first = 0  # what a row remembers ends before the column where the new steps begin
        return slice(max(0, first), last if self.causal else min(total, end + self.sight))

    def _mask(self, begin: int, end: int, keys: slice, *, keep: bool) -> Tensor:
        """(1 or B, 1 or H, queries, keys). Those of equal form are made once, where no row needs one of its own."""
        form = (end - begin, keys.stop - keys.start, self.held + begin - keys.start)
        if not (keep or (self._limited and not self._apart)):
            return self._new_mask(begin, end, keys)
        if form not in self._kept_masks:
            self._kept_masks[form] = self._new_mask(begin, end, keys)
        return self._kept_masks[form]

    def _new_mask(self, begin: int, end: int, keys: slice) -> Tensor:
        queries = torch.arange(begin, end, device=self.like.device).unsqueeze(1)
        distance = queries - self._places[:, keys].unsqueeze(1)  # (1 or B, queries, keys)
        far = distance.abs()
        seen = distance >= 0 if self.causal else torch.ones_like(distance, dtype=torch.bool)
        if self.sight is not None:
            seen = seen & (far <= self.sight)
        if not self.causal and self.lengths is not None:
            real = real_steps(self.lengths, self.steps)[:, keys].unsqueeze(1)
            seen = seen & (real | (distance == 0))
        if not self.alibi:
            return seen.unsqueeze(1)
        slope = torch.tensor(slopes(self.heads), dtype=self.like.dtype, device=self.like.device).view(-1, 1, 1)
        bias = -slope * far.unsqueeze(1)
        return bias.masked_fill(~seen.unsqueeze(1), float("-inf"))

    @cached_property
    def _places(self) -> Tensor:
        """(1 or B, N + T): where each key stands, counted from the first new step; never, of what is no key."""
        new = torch.arange(self.steps, device=self.like.device).unsqueeze(0)
        old = torch.arange(self.held, device=self.like.device).unsqueeze(0)
        if self._counts is None:
            return torch.cat([old - self.held, new], 1)
        counts = self._counts.unsqueeze(1)
        never = torch.iinfo(torch.int64).max // 2
        return torch.cat([torch.where(old < counts, old - counts, never), new.expand(self.rows, -1)], 1)

    @cached_property
    def _kept(self) -> tuple[Tensor, Tensor] | None:
        """Of each entry to be remembered its place among the joined ones of all rows, and whether there is one.

        ``None`` where all rows keep the same columns.
        """
        if self._counts is None and self.lengths is None:
            return None
        device = self.like.device
        counts = torch.full((self.rows,), self.held, device=device) if self._counts is None else self._counts
        totals = counts + (self.steps if self.lengths is None else self.lengths)
        keep = totals if self.sight is None else totals.clamp(max=self.sight)
        number = torch.arange(int(keep.max()), device=device)
        nth = number + (totals - keep).unsqueeze(1)  # the how many-eth of the row's real ones
        place = torch.where(nth < counts.unsqueeze(1), nth, nth + (self.held - counts).unsqueeze(1))
        real = number < keep.unsqueeze(1)
        first = torch.arange(self.rows, device=device).unsqueeze(1) * (self.held + self.steps)
        return torch.where(real, place, 0) + first, real


def check_cache(cache: object, shape: tuple[int, int, int], like: Tensor, sight: int | None, owner: str) -> None:
    """Raise a `ShapeError` unless ``cache`` is a `KVCache` of ``shape`` (B, G, D) that holds what it says.

    Args:
        cache: what a caller brought.
        shape: B, G and D.
        like: gives dtype and device.
        sight: the most steps that are kept.
        owner: what to call it.
    """
    rows, heads, width = shape
    if not isinstance(cache, KVCache):
        raise ShapeError(f"{owner}: state is {type(cache).__name__}, expected KVCache('keys', 'values', 'steps')")
    steps = cache.steps
    if steps.shape != (rows,) or steps.dtype != torch.int64 or steps.device != like.device:
        raise ShapeError(
            f"{owner}: state.steps is {tuple(steps.shape)} {steps.dtype} on {steps.device}, "
            f"expected ({rows},) torch.int64 on {like.device}"
        )
    least, most = (0, 0) if rows == 0 else (int(bound) for bound in steps.aminmax())
    most = most if sight is None else min(most, sight)
    for name, part in (("keys", cache.keys), ("values", cache.values)):
        fits = part.dim() == 4 and (part.shape[0], *part.shape[2:]) == shape and part.shape == cache.keys.shape
        if not fits or part.shape[1] < most or least < 0 or part.dtype != like.dtype or part.device != like.device:
            raise ShapeError(
                f"{owner}: state.{name} is {tuple(part.shape)} {part.dtype} on {part.device}, expected "
                f"({rows}, N, {heads}, {width}) {like.dtype} on {like.device}, N being {most} or more for so many steps"
            )


def seen_memory(memory: Memory) -> Tensor | None:
    """(B, 1, 1, S) bool: True at a real step; ``None`` where all are real.

    A row without any shows its first, lest a softmax be taken over nothing; what comes of it must be thrown away.
    """
    steps = memory.keys.shape[1]
    if steps == 0 or len(memory.lengths) == 0 or int(memory.lengths.min()) == steps:
        return None
    return real_steps(memory.lengths.clamp(min=1), steps)[:, None, None]


def check_memory(memory: object, shape: tuple[int, int, int], like: Tensor, owner: str) -> None:
    """Raise a `ShapeError` unless ``memory`` is one of ``shape`` (B, G, D), projected."""
    rows, heads, width = shape
    fits = isinstance(memory, Memory) and memory.lengths.shape == (rows,)
    for part in (memory.keys, memory.values) if isinstance(memory, Memory) else ():
        fits = fits and part.dim() == 4 and (part.shape[0], *part.shape[2:]) == shape
        fits = fits and part.dtype == like.dtype and part.device == like.device
    if not fits:
        found = tuple(memory.keys.shape) if isinstance(memory, Memory) else type(memory).__name__
        raise ShapeError(f"{owner}: the memory in the state is {found}, expected ({rows}, S, {heads}, {width})")
