"""Notes as event tokens: the time since the previous note (t), the pitch (p) and the duration (d).

    t24 p60 d12    24 parts later, key 60 sounds for 12 parts; t is omitted where notes start together

A part is 1/96 of a whole note: demisemiquavers and semiquaver triplets are exact, other times are rounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from unrolled.errors import DataError
from unrolled.music.tune import Note, Tune, tune_of

__all__ = ["PARTS", "from_events", "to_events"]

PARTS = 96  # of a whole note
_LATEST = 192  # parts in one t; longer waits take several
_LONGEST = 384  # parts in one note, four whole notes; longer notes are shortened

_EVENT = re.compile(r"([tpd])(\d{1,3})")


def to_events(notes: Iterable[Note]) -> list[str]:
    """Convert notes to events; ``notes`` must be sorted by onset.

    Example:
        >>> quarter = Fraction(1, 4)
        >>> to_events([Note(Fraction(0), quarter, 60), Note(Fraction(0), quarter, 64), Note(quarter, quarter, 67)])
        ['p60', 'd24', 'p64', 'd24', 't24', 'p67', 'd24']
    """
    events = []
    now = 0
    for note in notes:
        onset = round(note.onset * PARTS)
        later = onset - now
        while later > 0:
            events.append(f"t{min(later, _LATEST)}")
            later -= _LATEST
        now = max(now, onset)
        length = max(1, round((note.onset + note.duration) * PARTS) - onset)
        events += [f"p{note.pitch}", f"d{min(length, _LONGEST)}"]
    return events


def from_events(events: Sequence[str]) -> Tune:
    """Convert events to a tune in free time.

    Raises:
        DataError: a token is not an event, is out of range, or a pitch is not followed by its duration.

    Example:
        >>> from_events(["t48", "p60", "d24"]).notes
        (Note(onset=Fraction(1, 2), duration=Fraction(1, 4), pitch=60),)
    """
    notes: list[Note] = []
    now = 0
    pitch: int | None = None
    for place, event in enumerate(events, start=1):
        found = _EVENT.fullmatch(event)
        kind, number = (found[1], int(found[2])) if found else ("", 0)
        if (pitch is not None) != (kind == "d"):
            raise _wrong(place, event, "dN, the duration of the note," if pitch is not None else "tN or pN")
        if kind == "t" and number:
            now += number
        elif kind == "p" and number < 128:
            pitch = number
        elif kind == "d" and number and pitch is not None:
            notes.append(Note(Fraction(now, PARTS), Fraction(number, PARTS), pitch))
            pitch = None
        else:
            raise _wrong(place, event, "t1 or more, p0 to p127, or d1 or more")
    if not notes:
        raise DataError("has no notes", file="the events")
    return tune_of(notes)


def _wrong(place: int, event: str, wanted: str) -> DataError:
    return DataError(f"event {place} is {event[:20]!r}, but {wanted} is expected", file="the events")
