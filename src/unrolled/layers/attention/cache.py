"""The state of attention: keys and values of the steps so far.

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

    ``keys`` and ``values`` (B, N, G, D): each row's steps are aligned left and padded with zeros; N is the largest
    count of any row. ``steps`` (B,) int64: the number of all steps so far; an attention window keeps only the last.
    """

    keys: Tensor
    values: Tensor
    steps: Tensor

    @property
    def ragged(self) -> tuple[str, ...]:
        """The fields whose second axis is as long as the longest row."""
        return "keys", "values"

    @property
    def held(self) -> Tensor:
        """(B,) int64: how many keys and values each row has."""
        return self.steps.clamp(max=self.keys.shape[1])


class Memory(NamedTuple):
    """A projected memory for attention: ``keys`` (B, S, …), ``values`` (B, S, …), ``lengths`` (B,) int64."""

    keys: Tensor
    values: Tensor
    lengths: Tensor

    @property
    def ragged(self) -> tuple[str, ...]:
        """The fields whose second axis is as long as the longest row."""
        return "keys", "values"

    @property
    def held(self) -> Tensor:
        """(B,) int64: how many keys and values each row has."""
        return self.lengths


class Past:
    """How the remembered steps of each row line up with T new ones; all blocks of a transformer share it.

    Args:
        shape: B and T of the new steps.
        lengths: (B,) of the new steps, checked; ``None``: all are real.
        steps: (B,) int64, the number of earlier steps; ``None``: none.
        like: gives dtype and device.
        attention_window: the most steps that are remembered; ``None``: all.

    Attributes:
        held: N, the number of remembered columns.
        counts: (B,) how many of these columns each row fills; ``None``: every row fills all of them.
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
        """(T,) int64: the numbers of the new steps; (B, T) if they differ between rows."""
        here = torch.arange(self.steps, device=self.like.device)
        return here + (self._first if isinstance(self._first, int) else self._first.unsqueeze(1))

    @cached_property
    def after(self) -> Tensor:
        """(B,) int64: the number of all steps, including the new ones."""
        new = torch.full((self.rows,), self.steps, device=self.like.device) if self.lengths is None else self.lengths
        return new if self._before is None else self._before + new

    @cached_property
    def places(self) -> Tensor:
        """(1 or B, N + T): the position of each key relative to the first new step; a huge number where none is."""
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
        """The part of ``joined`` to remember: real steps within the attention window, aligned left."""
        if self._kept is None:
            begin = 0 if self.attention_window is None else max(0, joined.shape[1] - self.attention_window)
            return joined[:, begin:].to(self.like.dtype)
        place, real = self._kept
        rows, total, heads, width = joined.shape
        flat = joined.reshape(rows * total, heads * width).index_select(0, place.flatten())
        kept = torch.where(real[..., None, None], flat.view(*place.shape, heads, width), joined.new_zeros(()))
        return kept.to(self.like.dtype)  # mixed precision may have changed it

    @cached_property
    def _kept(self) -> tuple[Tensor, Tensor] | None:
        """For each entry to remember: its index among the joined ones of all rows, and whether it is real.

        ``None`` if all rows keep the same columns.
        """
        if self.counts is None and self.lengths is None:
            return None
        device = self.like.device
        counts = torch.full((self.rows,), self.held, device=device) if self.counts is None else self.counts
        totals = counts + (self.steps if self.lengths is None else self.lengths)
        keep = totals if self.attention_window is None else totals.clamp(max=self.attention_window)
        # A compiler's graph may not depend on values; further columns of zeros do no harm.
        most = self.held + self.steps if torch.compiler.is_compiling() else int(keep.max())
        number = torch.arange(most, device=device)
        nth = number + (totals - keep).unsqueeze(1)  # index among the row's real steps
        place = torch.where(nth < counts.unsqueeze(1), nth, nth + (self.held - counts).unsqueeze(1))
        real = number < keep.unsqueeze(1)
        first = torch.arange(self.rows, device=device).unsqueeze(1) * (self.held + self.steps)
        return torch.where(real, place, 0) + first, real


def check_cache(
    cache: object, shape: tuple[int, int, int], like: Tensor, attention_window: int | None, owner: str
) -> None:
    """Raise a `ShapeError` unless ``cache`` is a consistent `KVCache` of ``shape`` (B, G, D).

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
                f"({rows}, N, {heads}, {width}) {like.dtype} on {like.device}, N at least {most}"
            )


def seen_memory(memory: Memory) -> Tensor | None:
    """(B, 1, 1, S) bool: True at a real step; ``None`` if all are real.

    A row without steps shows its first one, so that no softmax runs over nothing; the caller must discard its result.
    """
    steps = memory.keys.shape[1]
    if steps == 0 or memory.lengths.shape[0] == 0 or int(memory.lengths.min()) == steps:
        return None
    return real_steps(memory.lengths.clamp(min=1), steps)[:, None, None]


def check_memory(memory: object, shape: tuple[int, int, int], like: Tensor, owner: str) -> None:
    """Raise a `ShapeError` unless ``memory`` is a projected `Memory` of ``shape`` (B, G, D)."""
    rows, heads, width = shape
    fits = isinstance(memory, Memory) and memory.lengths.shape == (rows,)
    for part in (memory.keys, memory.values) if isinstance(memory, Memory) else ():
        fits = fits and part.dim() == 4 and (part.shape[0], *part.shape[2:]) == shape
        fits = fits and part.dtype == like.dtype and part.device == like.device
    if not fits:
        found = tuple(memory.keys.shape) if isinstance(memory, Memory) else type(memory).__name__
        raise ShapeError(f"{owner}: the memory in the state is {found}, expected ({rows}, S, {heads}, {width})")
