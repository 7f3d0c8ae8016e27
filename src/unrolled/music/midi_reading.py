"""MIDI files, parsed by symusic: the notes of all tracks but drums, bounded before anything is made of them."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from typing import Any

from unrolled.errors import DataError, MissingExtra
from unrolled.music.tune import Note

__all__ = ["LONGEST", "MOST_BYTES", "MOST_NOTES", "read_midi"]

MOST_BYTES = 4 << 20
MOST_NOTES = 200_000
LONGEST = 6_000  # whole notes


def read_midi(data: bytes, origin: str) -> list[Note]:
    """The notes, in the order of their onsets.

    Args:
        data: a Standard MIDI File, whose time is counted in parts of a quarter note.
        origin: what to call it in an error.

    Raises:
        DataError: it is no MIDI file or a damaged one, holds no note, or more or longer than the limits above.
        MissingExtra: symusic is not installed.
    """
    if importlib.util.find_spec("symusic") is None:
        raise MissingExtra("symusic", "music", "MIDI")
    import symusic

    if len(data) > MOST_BYTES:
        raise _refused(f"has {len(data)} bytes, and no more than {MOST_BYTES} are read", origin)
    try:
        score: Any = symusic.Score.from_midi(data)
    except (RuntimeError, ValueError, MemoryError):
        reason = "it is cut off, or damaged" if data[:4] == b"MThd" else "it does not begin with MThd"
        raise _refused(f"is not a whole MIDI file: {reason}", origin) from None
    parts = 4 * score.ticks_per_quarter
    if parts <= 0:
        raise _refused(f"divides a quarter note into {score.ticks_per_quarter} parts", origin)
    count = sum(len(track.notes) for track in score.tracks if not track.is_drum)
    if not count:
        raise DataError("holds no note, drums apart", file=origin, hint="leave it out")
    if count > MOST_NOTES:
        raise _refused(f"holds {count} notes, and no more than {MOST_NOTES} are read", origin)
    found = [note for track in score.tracks if not track.is_drum for note in track.notes]
    if min(note.time for note in found) < 0:
        raise _refused("lasts more parts of a quarter note than 32 bits can count", origin)
    notes = [Note(Fraction(note.time, parts), Fraction(max(1, note.duration), parts), note.pitch) for note in found]
    ends = max(note.onset + note.duration for note in notes)
    if ends > LONGEST:
        raise _refused(f"lasts {float(ends):.0f} whole notes, and no more than {LONGEST} are read", origin)
    return sorted(notes, key=lambda note: (note.onset, note.pitch))


def _refused(message: str, origin: str) -> DataError:
    return DataError(message, file=origin, hint="repair it, or leave it out")
