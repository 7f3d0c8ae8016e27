"""MIDI: a file is a row, as events or as a piano roll."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.mapped import map_file
from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._notes import MusicOptions, events_or_rolls
from unrolled.data.readers.reader import REMARK, Reader
from unrolled.errors import DataError, named
from unrolled.music.midi_reading import read_midi

__all__ = ["read_midi_file"]

_SUFFIXES = (".mid", ".midi", ".rmi", ".kar")


def read_midi_file(path: Path, config: DataConfig) -> pa.Table:
    """One row: the notes of all tracks except drums, as events or as a piano roll (option ``music``).

    Raises:
        DataError: the file is missing, empty, damaged or too large, or ``music`` is ``text``.
        MissingExtra: symusic is not installed.
    """
    music = config.of("reader", "midi").music
    if music == "text":
        raise DataError("holds notes, not text", file=str(path), hint=f"set {named('music')} to events or roll")
    notes, mended = read_midi(bytes(map_file(path)), str(path))
    table = events_or_rolls([notes], music == "roll")
    return table.replace_schema_metadata({REMARK: f"{path}: {mended}"}) if mended else table


def _recognises(beginning: Beginning) -> int:
    begin = beginning.data[:12]
    return 100 if begin.startswith(b"MThd\0") or (begin[:4] == b"RIFF" and begin[8:] == b"RMID") else 0


MEMBER = Reader(_SUFFIXES, read_midi_file, Options=MusicOptions, recognises=_recognises, whole=read_midi_file)
