"""A tune: its notes, with exact times, and its bars."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Bar", "Note", "Tune", "tune_of"]

_PASSES = 9  # the most times that a bar is played


class Note(NamedTuple):
    """A note. ``onset`` and ``duration`` are in whole notes; ``pitch`` is the MIDI number: ABC's ``C`` is 60."""

    onset: Fraction
    duration: Fraction
    pitch: int


@dataclass(frozen=True, slots=True)
class Bar:
    """The music between two bar lines; it always has a positive length.

    Attributes:
        onset, length: in whole notes.
        metre: the length that it should have; ``None`` in free time.
        opens: whether a part starts with it: after a repeat, a double bar line or an ending's number, or at the start.
        closes: whether a part ends with it.
        repeats: whether the part is repeated after it.
        begins: whether a repeat goes back to it.
        endings: the passes on which it and the bars after it are played; empty: all.
        number: from 1; a rest of several bars counts as that many.
    """

    onset: Fraction
    length: Fraction
    metre: Fraction | None = None
    opens: bool = False
    closes: bool = False
    repeats: bool = False
    begins: bool = False
    endings: tuple[int, ...] = ()
    number: int = 1


@dataclass(frozen=True, slots=True)
class Tune:
    """A piece of music as it is written; `played` writes out its repeats.

    Attributes:
        title: its first ``T:`` field.
        metre: beats and the note value of a beat, such as ``(6, 8)``; ``None``: free time.
        unit: the length of a note without a number.
        key: as it is written, such as ``D Dorian``.
        tempo: whole notes per minute.
        notes: sorted by onset, then by pitch. Tied notes are one note.
        bars: those of the first voice, in order.
    """

    title: str
    metre: tuple[int, int] | None
    unit: Fraction
    key: str
    tempo: Fraction
    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]

    def played(self) -> Tune:
        r"""The tune with every repeat written out.

        A repeat goes back to the last ``|:``, double bar line or repeat. A bar is played at most nine times.

        Example:
            >>> from unrolled.music.abc import parse_abc
            >>> tune = parse_abc("X:1\nL:1/4\nK:C\nC |1 D :|2 E |]")
            >>> [note.pitch for note in tune.played().notes]
            [60, 62, 60, 64]
        """
        onsets = [note.onset for note in self.notes]
        notes: list[Note] = []
        bars: list[Bar] = []
        now = Fraction(0)
        for nth in _order(self.bars):
            bar = self.bars[nth]
            last = nth + 1 == len(self.bars)
            until = len(onsets) if last else bisect_left(onsets, bar.onset + bar.length)
            part = self.notes[bisect_left(onsets, bar.onset) : until]
            notes += [note._replace(onset=note.onset - bar.onset + now) for note in part]
            bars.append(replace(bar, onset=now, repeats=False, begins=False, endings=()))
            now += bar.length
        return replace(self, notes=tuple(notes), bars=tuple(bars))


def tune_of(notes: Iterable[Note]) -> Tune:
    """Make a tune from notes only: in free time, at 120 quarter notes per minute, as one bar."""
    ordered = tuple(sorted(notes, key=lambda note: (note.onset, note.pitch)))
    ends = max(note.onset + note.duration for note in ordered)
    return Tune("", None, Fraction(1, 8), "C", Fraction(30), ordered, (Bar(Fraction(0), ends),))


def _order(bars: tuple[Bar, ...]) -> list[int]:
    """The indices of the bars in the order in which they are played."""
    order: list[int] = []
    start, turn, marked = 0, 1, False  # of the current part: its first bar, the pass, whether it starts with |:
    endings: tuple[int, ...] = ()
    nth = 0
    while nth < len(bars):
        bar = bars[nth]
        if bar.begins:
            start, turn, marked = nth, turn if nth == start else 1, True
        if bar.endings:
            endings = bar.endings
        if endings and turn not in endings:
            endings = () if _ending_stops(bars, nth) else endings
            nth += 1
            continue
        order.append(nth)
        if bar.repeats and turn < max((2, *endings, *_endings_after(bars, nth))):
            nth, turn, endings = start, turn + 1, ()
            continue
        if bar.repeats or (bar.closes and not marked and not (nth + 1 < len(bars) and bars[nth + 1].endings)):
            start, turn, marked = nth + 1, 1, False
        if _ending_stops(bars, nth):
            endings = ()
        nth += 1
    return order


def _endings_after(bars: tuple[Bar, ...], nth: int) -> tuple[int, ...]:
    """The numbers of the consecutive endings after bar ``nth``."""
    found: tuple[int, ...] = ()
    for _ in range(_PASSES):
        nth += 1
        if nth == len(bars) or not bars[nth].endings:
            break
        found += bars[nth].endings
        while not _ending_stops(bars, nth) and nth + 1 < len(bars):
            nth += 1
    return found


def _ending_stops(bars: tuple[Bar, ...], nth: int) -> bool:
    return bars[nth].closes or bars[nth].repeats or (nth + 1 < len(bars) and bool(bars[nth + 1].endings))
