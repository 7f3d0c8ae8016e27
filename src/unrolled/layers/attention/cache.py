"""What attention keeps of the steps before.

Axes: B rows, T new steps, N remembered steps, S steps of a memory, G key heads, H heads, D head width.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.layers.lengths import real_steps

__all__ = ["KVCache", "Memory", "Past", "check_cache", "check_memory", "seen_memory"]


class KVCache(NamedTuple):
    """The keys and values of the steps so far.

    ``keys`` and ``values`` (B, N, G, D): each row's own at the left, in order, and zeros beyond; N is the largest count
    of a row. ``steps`` (B,) int64: all steps that there were, of which a layer with an attention window keeps the last.
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


class Past:
    """What each row remembers of the steps before T new ones, which every layer shares.

    Args:
        shape: B and T of the new steps.
        lengths: (B,) of the new steps, checked; ``None``: all are real.
        steps: (B,) int64, those before; ``None``: this is the beginning.
        like: gives dtype and device.
        attention_window: the most steps that are remembered; ``None``: all.

    Attributes:
        held: N, the columns of the keys that are remembered.
        counts: (B,) how many of them are a row's own; ``None``: all, so that those of all rows stand side by side.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        lengths: Tensor | None,
        steps: Tensor | None,
        like: Tensor,
        attention_window: int | None,
    ) -> None:
        (self.rows, self.steps), self.lengths, self.like, self.attention_window = shape, lengths, like, attention_window
        low, high = (0, 0) if steps is None or self.rows == 0 else (int(bound) for bound in steps.aminmax())
        least, self.held = (
            (low, high) if attention_window is None else (min(low, attention_window), min(high, attention_window))
        )
        counts = steps if steps is None or attention_window is None else steps.clamp(max=attention_window)
        self.counts = None if least == self.held else counts
        self._before = steps
        self._first: int | Tensor = low if steps is None or low == high else steps

    @cached_property
    def positions(self) -> Tensor:
        """(T,) int64: the new steps' numbers; (B, T) where rows stand at different ones."""
        here = torch.arange(self.steps, device=self.like.device)
        return here + (self._first if isinstance(self._first, int) else self._first.unsqueeze(1))

    @cached_property
    def after(self) -> Tensor:
        """(B,) int64: the steps that there have been after these."""
        new = torch.full((self.rows,), self.steps, device=self.like.device) if self.lengths is None else self.lengths
        return new if self._before is None else self._before + new

    @cached_property
    def places(self) -> Tensor:
        """(1 or B, N + T): where each key stands, counted from the first new step; never, of what is no key."""
        new = torch.arange(self.steps, device=self.like.device).unsqueeze(0)
        old = torch.arange(self.held, device=self.like.device).unsqueeze(0)
        if self.counts is None:
            return torch.cat([old - self.held, new], 1)
        counts = self.counts.unsqueeze(1)
        never = torch.iinfo(torch.int64).max // 2
        return torch.cat([torch.where(old < counts, old - counts, never), new.expand(self.rows, -1)], 1)

    def joined(self, before: Tensor | None, new: Tensor) -> Tensor:
        """Remembered and new keys (B, N + T, G, D)."""
        if before is None or self.held == 0:
            return new
        return torch.cat([before[:, : self.held].to(new.dtype), new], 1)

    def kept(self, joined: Tensor) -> Tensor:
        """What of ``joined`` is to be remembered: the real steps, at the left; within the attention window."""
        if self._kept is None:
            begin = 0 if self.attention_window is None else max(0, joined.shape[1] - self.attention_window)
            return joined[:, begin:].to(self.like.dtype)
        place, real = self._kept
        rows, total, heads, width = joined.shape
        flat = joined.reshape(rows * total, heads * width).index_select(0, place.flatten())
        kept = torch.where(real[..., None, None], flat.view(*place.shape, heads, width), joined.new_zeros(()))
        return kept.to(self.like.dtype)  # that of the first state, where mixed precision made keys of another

    @cached_property
    def _kept(self) -> tuple[Tensor, Tensor] | None:
        """Of each entry to be remembered its place among the joined ones of all rows, and whether there is one.

        ``None`` where all rows keep the same columns.
        """
        if self.counts is None and self.lengths is None:
            return None
        device = self.like.device
        counts = torch.full((self.rows,), self.held, device=device) if self.counts is None else self.counts
        totals = counts + (self.steps if self.lengths is None else self.lengths)
        keep = totals if self.attention_window is None else totals.clamp(max=self.attention_window)
        number = torch.arange(int(keep.max()), device=device)
        nth = number + (totals - keep).unsqueeze(1)  # the how many-eth of the row's real ones
        place = torch.where(nth < counts.unsqueeze(1), nth, nth + (self.held - counts).unsqueeze(1))
        real = number < keep.unsqueeze(1)
        first = torch.arange(self.rows, device=device).unsqueeze(1) * (self.held + self.steps)
        return torch.where(real, place, 0) + first, real


def check_cache(
    cache: object, shape: tuple[int, int, int], like: Tensor, attention_window: int | None, owner: str
) -> None:
    """Raise a `ShapeError` unless ``cache`` is a `KVCache` of ``shape`` (B, G, D) that holds what it says.

    Args:
        cache: what a caller brought.
        shape: B, G and D.
        like: gives dtype and device.
        attention_window: the most steps that are kept.
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
    most = most if attention_window is None else min(most, attention_window)
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
