"""Pictures: a file is a row with its name and its bytes; pixels are decoded later, by the encoding.

`unrolled.data.tables.media_folder` reads a folder of pictures and finds labels and captions.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.blobs import one_file
from unrolled.data.io.mapped import map_file
from unrolled.data.io.unpacking import Beginning
from unrolled.data.media.pictures import check_whole, is_picture
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError

__all__ = ["read_image"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".pgm", ".ppm", ".pbm", ".tif", ".tiff")
_EXAMPLE = "image"


def read_image(path: Path, config: DataConfig) -> pa.Table:  # noqa: ARG001 - every reader takes one
    """One row: the file's name and, in a column ``image``, its bytes, checked to be a whole picture.

    Raises:
        DataError: the file is missing, empty or damaged, or has more pixels than
            `unrolled.data.media.pictures.MOST_PIXELS`.
        MissingExtra: pillow is not installed.
    """
    data = map_file(path)
    check_whole(memoryview(data), lambda message, hint: DataError(message, file=str(path), hint=hint))
    return one_file(path.name, _EXAMPLE, data)


def _recognises(beginning: Beginning) -> int:
    binary = min(beginning.data[:64], default=9) < 9  # no text has such a byte
    return 100 if binary and is_picture(memoryview(beginning.data)) else 0


MEMBER = Reader(_SUFFIXES, read_image, example=_EXAMPLE, recognises=_recognises)
