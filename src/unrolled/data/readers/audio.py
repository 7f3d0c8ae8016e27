"""Recordings: a file is a row with its name and its bytes; frames are computed later, by the encoding.

`unrolled.data.tables.media_folder` reads a folder of recordings: labels come from a table that names the clips, or from
subfolders. Files that cannot be decoded are left out and listed.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.blobs import one_file
from unrolled.data.io.mapped import map_file
from unrolled.data.io.unpacking import Beginning
from unrolled.data.media.sounds import check_whole, is_sound
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError

__all__ = ["read_audio"]

_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".aifc")
_EXAMPLE = "sound"


def read_audio(path: Path, _: DataConfig) -> pa.Table:
    """One row: the file's name and, in a column ``sound``, its bytes, checked to be a whole recording.

    Raises:
        DataError: the file is missing, empty or damaged, or has more samples than
            `unrolled.data.media.sounds.MOST_SAMPLES`.
        MissingExtra: soundfile is not installed.
    """
    data = map_file(path)
    check_whole(memoryview(data), lambda message, hint: DataError(message, file=str(path), hint=hint))
    return one_file(path.name, _EXAMPLE, data)


def _recognises(beginning: Beginning) -> int:
    binary = min(beginning.data[:64], default=9) < 9  # no text has such a byte
    return 100 if binary and is_sound(memoryview(beginning.data)) else 0


MEMBER = Reader(_SUFFIXES, read_audio, example=_EXAMPLE, recognises=_recognises)
