"""Read MIDI files with symusic: the notes of all tracks except drums, within limits on size."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from typing import Any

from unrolled.errors import DataError, MissingExtra
from unrolled.music.midi_mending import mended
from unrolled.music.tune import Note

__all__ = ["LONGEST", "MOST_BYTES", "MOST_NOTES", "read_midi"]

MOST_BYTES = 4 << 20
MOST_NOTES = 200_000
LONGEST = 6_000  # whole notes


def read_midi(data: bytes, origin: str) -> tuple[list[Note], str]:
    """The notes of a MIDI file, sorted by onset, and what was mended in it, as `Mended.say` puts it.

    Args:
        data: a Standard MIDI File that counts time in ticks of a quarter note; it may lie in a RIFF file (RMID).
        origin: the name of the file in error messages.

    Raises:
        DataError: the data is not a MIDI file, is damaged, has no notes, or exceeds the limits above.
        MissingExtra: symusic is not installed.
    """
    if importlib.util.find_spec("symusic") is None:
        raise MissingExtra("symusic", "music", "MIDI")
    import symusic

    if len(data) > MOST_BYTES:
        raise _refused(f"has {len(data)} bytes; at most {MOST_BYTES} can be read", origin)
    file = mended(_plain(_unwrapped(data), origin))
    try:
        score: Any = symusic.Score.from_midi(file.data)
    except (RuntimeError, ValueError, MemoryError):
        reason = "it is truncated or damaged" if data[:4] == b"MThd" else "it does not start with MThd"
        raise _refused(f"is not a complete MIDI file: {reason}", origin) from None
    parts = 4 * score.ticks_per_quarter
    if parts <= 0:
        raise _refused(f"divides a quarter note into {score.ticks_per_quarter} parts", origin)
    count = sum(len(track.notes) for track in score.tracks if not track.is_drum)
    if not count:
        raise DataError("has no notes other than drums", file=origin, hint="leave it out")
    if count > MOST_NOTES:
        raise _refused(f"has {count} notes; at most {MOST_NOTES} can be read", origin)
    found = [note for track in score.tracks if not track.is_drum for note in track.notes]
    if min(note.time for note in found) < 0:
        raise _refused("lasts more ticks than 32 bits can count", origin)
    notes = [Note(Fraction(note.time, parts), Fraction(max(1, note.duration), parts), note.pitch) for note in found]
    ends = max(note.onset + note.duration for note in notes)
    if ends > LONGEST:
        raise _refused(f"lasts {float(ends):.0f} whole notes; at most {LONGEST} can be read", origin)
    return sorted(notes, key=lambda note: (note.onset, note.pitch)), file.say()


def _unwrapped(data: bytes) -> bytes:
    """The MIDI file inside of a RIFF file, or ``data`` itself."""
    at = 12  # after RIFF, a size and RMID come chunks: a name, a size, and so many bytes
    while data[:4] == b"RIFF" and data[8:12] == b"RMID" and at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return data


def _plain(data: bytes, origin: str) -> bytes:
    """``data`` with a header of the usual length; a longer one is allowed, and what is beyond has no meaning yet.

    Raises:
        DataError: time is counted in frames of film.
    """
    if data[:4] != b"MThd" or len(data) < 14:
        return data
    if data[12] & 0x80:
        message = f"counts time in frames of film ({256 - data[12]} a second), not in parts of a quarter note"
        raise DataError(message, file=origin, hint="save it with ticks for each quarter note")
    length = int.from_bytes(data[4:8], "big")
    return data[:4] + (6).to_bytes(4, "big") + data[8:14] + data[8 + length :] if length > 6 else data


def _refused(message: str, origin: str) -> DataError:
    return DataError(message, file=origin, hint="repair it, or leave it out")
