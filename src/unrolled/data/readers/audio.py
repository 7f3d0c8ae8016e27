"""Recordings: a file is a row, with its name and its bytes as they are; its frames are made where they are encoded.

A folder of them is put together by `unrolled.data.tables.media_folder`: labels come from a table beside the clips that
names them, or else from the folders in which they lie. What cannot be decoded is left out and listed.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.blobs import one_file
from unrolled.data.io.mapped import map_file
from unrolled.data.media.sounds import check_whole
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError

__all__ = ["read_audio"]

_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".mp3")
_EXAMPLE = "sound"


def read_audio(path: Path, _: DataConfig) -> pa.Table:
    """One row: the file's name, and in a column ``sound`` its bytes, once they are seen to be a whole recording.

    Raises:
        DataError: the file is missing, empty or damaged, or has more samples than
            `unrolled.data.media.sounds.MOST_SAMPLES`.
        MissingExtra: soundfile is not installed.
    """
    data = map_file(path)
    check_whole(memoryview(data), lambda message, hint: DataError(message, file=str(path), hint=hint))
    return one_file(path.name, _EXAMPLE, data)


MEMBER = Reader(_SUFFIXES, read_audio, example=_EXAMPLE)
