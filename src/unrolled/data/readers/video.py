"""Videos: a file is a row with its name and a list of its frames as small pictures.

`unrolled.data.tables.media_folder` reads a folder of videos and finds labels and captions.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.blobs import one_file
from unrolled.data.io.mapped import Spool, map_file
from unrolled.data.io.unpacking import Beginning
from unrolled.data.media.videos import frames
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError

__all__ = ["read_video"]

_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
_EXAMPLE = "video"


def read_video(path: Path, config: DataConfig) -> pa.Table:  # noqa: ARG001 - every reader takes one
    """One row: the file's name and, in a column ``video``, its frames, each a PNG of at most 64 × 64 pixels.

    Raises:
        DataError: the file is missing, empty or damaged, or has too many frames or pixels.
        MissingExtra: av is not installed.
    """
    data = memoryview(map_file(path))
    sizes = []
    with Spool() as spool:
        for frame in frames(data, lambda message, hint: DataError(message, file=str(path), hint=hint)):
            spool.write(frame)
            sizes.append(len(frame))
        return one_file(path.name, _EXAMPLE, spool.buffer(), sizes)


def _recognises(beginning: Beginning) -> int:
    begin = beginning.data[:12]
    film = begin[4:8] == b"ftyp" and not begin[8:].startswith((b"M4A", b"M4B", b"hei", b"mif1", b"msf1", b"avif"))
    return 100 if film or begin.startswith(b"\x1a\x45\xdf\xa3") or begin[:4] + begin[8:] == b"RIFFAVI " else 0


MEMBER = Reader(_SUFFIXES, read_video, example=_EXAMPLE, recognises=_recognises)
