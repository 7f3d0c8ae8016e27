"""Videos: a step is a frame, with all its pixels as one vector.

    z = (x - mean_c) / std_c,  x in 0 … 255, c its channel

A frame is encoded as a picture by `unrolled.data.encodings.image`; a step joins all rows of the picture.

Axes: H rows of pixels, W columns, C channels; T frames of all videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from unrolled.batch import Continuous
from unrolled.data.encodings._cells import Cells, open_cells
from unrolled.data.encodings._gather import Gather
from unrolled.data.encodings._sizes import SizeOptions
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where, has_time
from unrolled.data.encodings.image import Image, place_of
from unrolled.data.io.blobs import blobs, is_binary
from unrolled.data.media.pictures import Fail
from unrolled.errors import DataError, ModelError

__all__ = ["Video"]


@dataclass(frozen=True, slots=True)
class Video:
    """A column of lists of picture files, one per step. A missing frame is filled with the mean colour.

    Attributes:
        frame: the encoding of a frame.

    Example:
        >>> from unrolled.data.media.pictures import to_png
        >>> dark, light = (to_png(np.full((2, 3, 1), value, np.uint8)) for value in (0, 200))
        >>> column = pa.chunked_array([[[dark, light, dark]]])
        >>> video = Video.fit(column, Video.Options(), Role(), Where("memory", "clip"))
        >>> video.encode(column, Where("memory", "clip")).values.shape, video.report()
        ((3, 6), 'video, frames of 3 × 2 in grey')
    """

    class Options(SizeOptions):
        """The option for videos."""

    kind: ClassVar[str] = "video"
    traits: ClassVar[Traits] = Traits(whole=True)
    rule: ClassVar[str] = "the pixels of each frame, 0 … 255, scaled as the configuration says"
    binary: ClassVar[bool] = False

    frame: Image

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """98 for lists of the bytes of picture files."""
        if not has_time(array.type) or not is_binary(array.type.value_type):
            return 0
        return Image.recognises(open_cells(array, Where("", ""), time=True).flat)

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Video.Options, role: Role, where: Where) -> Self:
        """Learn size, colour and scale from all frames of all videos, as `Image.fit` does.

        Raises:
            DataError: a frame is not a picture, or is damaged or too large; or there are no frames.
            MissingExtra: pillow is not installed.
        """
        cells, frames = _open(array, where), Image.Options(image="rows", image_size=options.image_size)
        return cls(Image.fit(cells.flat, frames, role, _placed(cells)))

    @property
    def spec(self) -> Continuous:
        """The numbers of one frame per step."""
        frame = self.frame
        return Continuous(frame.height * frame.width * len(frame.mean), time=True)

    @property
    def mean(self) -> np.ndarray:
        """(H·W·C,) float64: ``z * std + mean`` is in 0 … 255."""
        return np.tile(self.frame.mean, self.frame.height * self.frame.width)

    @property
    def std(self) -> np.ndarray:
        """(H·W·C,) float64."""
        return np.tile(self.frame.std, self.frame.height * self.frame.width)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(T, H·W·C) float32; memory-mapped from ``cache`` if over 64 MB.

        Raises:
            DataError: a frame is not a picture, or is damaged or too large.
            SpaceError: the disk that holds ``cache`` is full.
        """
        cells = _open(array, where)
        gather, placed = Gather(np.dtype(np.float32), cache), _placed(cells)
        for index, data in enumerate(blobs(cells.flat)):
            gather.add(self._step(data, place_of(placed, index)))
        return Encoded(gather.finish().reshape(-1, self.spec.width), cells.offsets)

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, H·W·C) float32 of a picture's bytes, and an empty memory. ``None`` is a missing frame.

        Raises:
            DataError: it is not a picture.
        """
        if value is not None and not isinstance(value, bytes):
            message = f"expected one frame, the bytes of a picture, found {str(value)[:40]!r}"
            raise DataError(message, file=where.file, column=where.column)
        return self._step(None if value is None else memoryview(value), place_of(where))[None], []

    def _step(self, data: memoryview | None, fail: Fail) -> np.ndarray:
        if data is None:
            return np.zeros(self.spec.width, np.float32)
        return self.frame.scaled(self.frame.tiles(data, fail)).ravel()

    def decode(self, values: np.ndarray) -> list[bytes | None]:
        """(T, H·W·C) as a list of the bytes of PNG files."""
        frame = self.frame
        return [frame.decode(row.reshape(frame.height, -1)) for row in values]

    def to_config(self) -> dict[str, Any]:
        """The learned values, as JSON."""
        return {"kind": self.kind, "frame": self.frame.to_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        known = isinstance(config, dict) and config.keys() == {"kind", "frame"} and config["kind"] == cls.kind
        try:
            frame = Image.from_config(config["frame"]) if known else None
        except ModelError as error:
            raise ModelError(str(error).replace("image", cls.kind, 1)) from None
        if frame is None or frame.layout != "rows":
            raise ModelError("the video encoding of this model cannot be read: its frame encoding is invalid")
        return cls(frame)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many frames were missing, or ``""``."""
        missing = _open(array, Where("", "")).flat.null_count
        return f"{missing} of {len(encoded.values)} frames are missing" if missing else ""

    def report(self) -> str:
        """A one-line summary."""
        colour = "grey" if len(self.frame.mean) == 1 else "colour"
        return f"video, frames of {self.frame.width} × {self.frame.height} in {colour}"


def _open(array: pa.ChunkedArray, where: Where) -> Cells:
    cells = open_cells(array, where, time=True)
    if not (is_binary(cells.flat.type) or pa.types.is_null(cells.flat.type)):
        message = f"expected a list of pictures in each row, found {array.type}"
        raise DataError(message, file=where.file, column=where.column)
    return cells


def _placed(cells: Cells) -> Where:
    """``cells.where`` with the row of each frame, for errors."""
    assert cells.offsets is not None
    counts = np.diff(cells.offsets)
    rows = np.arange(len(counts)) if cells.where.rows is None else cells.where.rows
    return replace(cells.where, rows=np.repeat(rows, counts))


MEMBER = Video
