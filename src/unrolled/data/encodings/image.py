"""Images: pictures read as sequences of pixels, rows or patches, from the top left.

    z = (x - mean_c) / std_c,  x in 0 … 255, c its channel

Every picture is resized to one size, so that a step is the same place in all of them.

Axes: H rows of pixels, W columns, C channels; a step is a tile of h × w pixels: 1 × 1, 1 × W, or P × P. T steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from unrolled.batch import Continuous
from unrolled.config import option
from unrolled.data.encodings._gather import Gather
from unrolled.data.encodings._sizes import SizeOptions, size_of
from unrolled.data.encodings._stored import Stored, load
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where
from unrolled.data.io.blobs import begins_as, blobs, is_binary
from unrolled.data.media.pictures import Fail, is_picture, measure, to_pixels, to_png
from unrolled.errors import DataError, ModelError

__all__ = ["Image", "place_of"]

_LARGEST_SIDE = 1024
_SAMPLE = 1000  # pictures from which mean and std are taken

Layout = Literal["pixels", "rows", "patches"]


class _Stored(Stored):
    kind: Literal["image"]
    layout: Layout
    patch: int = Field(ge=1, le=_LARGEST_SIDE)
    height: int = Field(ge=1, le=_LARGEST_SIDE)
    width: int = Field(ge=1, le=_LARGEST_SIDE)
    mean: list[float] = Field(min_length=1, max_length=3)
    std: list[float] = Field(min_length=1, max_length=3)


@dataclass(frozen=True, slots=True)
class Image:
    """A column of picture files: PNG, JPEG, GIF, BMP, WebP or PNM.

    Attributes:
        layout: what a step is: a pixel, a row of pixels, or a patch.
        patch: P, the side of a patch; 1 if steps are not patches.
        height, width: the size that every picture is resized to.
        mean, std: those of each channel. There is one channel if no training picture has colour, else three.

    Example:
        >>> column = pa.chunked_array([[to_png(np.arange(16, dtype=np.uint8).reshape(4, 4, 1))]])
        >>> image = Image.fit(column, Image.Options(image="patches:2"), Role(), Where("memory", "picture"))
        >>> image.encode(column, Where("memory", "picture")).values.shape, image.report()
        ((4, 4), 'picture, 4 × 4 in grey, 4 patches of 2 × 2')
    """

    class Options(SizeOptions):
        """The options for pictures."""

        image: str = option(
            "rows",
            "Read pictures as sequences of pixels, rows, or patches:4 for patches of 4 x 4 pixels.",
            pattern=r"^(pixels|rows|patches:[1-9]\d{0,2})$",
            examples=("pixels", "rows", "patches:4 (of 1-999 pixels)"),
            also=("patch_size",),
        )

    kind: ClassVar[str] = "image"
    traits: ClassVar[Traits] = Traits(whole=True)
    rule: ClassVar[str] = "the pixels of each tile, 0 … 255, scaled as the configuration says"

    layout: Layout
    patch: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """98 for the bytes of picture files."""
        return 98 if begins_as(array, is_picture) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Image.Options, role: Role, where: Where) -> Self:
        """Learn the size, whether there is colour, and the scale.

        Without the option ``image_size``, the size is the median height and width, scaled down to at most 64.

        Raises:
            DataError: a picture is damaged or too large, a cell is not a picture, or there are no pictures.
            UsageError: the size cannot be divided into patches, or a patch is larger than the pictures.
            MissingExtra: pillow is not installed.
        """
        cells = _open(array, where)
        found = [measure(data, place_of(where, row)) for row, data in enumerate(cells) if data is not None]
        if not found:
            raise DataError("has no pictures", file=where.file, column=where.column)
        channels = 1 if all(grey for _, _, grey in found) else 3
        layout, patch = _layout(options.image)
        height, width = size_of(options.image_size, np.array([(high, wide) for high, wide, _ in found]), patch)
        sample = cells[:: -(-len(cells) // _SAMPLE)]
        rows = range(0, len(cells), -(-len(cells) // _SAMPLE))
        sums, squares, count = np.zeros(channels), np.zeros(channels), 0
        for row, data in zip(rows, sample, strict=True):
            if data is not None:
                pixels = to_pixels(data, (height, width), channels, place_of(where, row)).astype(np.float64)
                sums += pixels.sum((0, 1))
                squares += np.square(pixels).sum((0, 1))
                count += height * width
        mean = sums / max(count, 1)
        std = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
        std = np.where(std < 1, 255.0, std)  # pictures of one colour have no scale to learn
        return cls(layout, patch, height, width, tuple(mean.tolist()), tuple(std.tolist()))

    @property
    def spec(self) -> Continuous:
        """The numbers of one tile per step."""
        high, wide = self._tile
        return Continuous(high * wide * len(self.mean), time=True)

    @property
    def _tile(self) -> tuple[int, int]:
        return (1, self.width) if self.layout == "rows" else (self.patch, self.patch)

    @property
    def _steps(self) -> int:
        high, wide = self._tile
        return (self.height // high) * (self.width // wide)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, h·w·C) float32; memory-mapped from ``cache`` if over 64 MB. An empty cell has no steps.

        Raises:
            DataError: a cell is not a picture, or the picture is damaged or too large.
            SpaceError: the disk that holds ``cache`` is full.
        """
        gather = Gather(np.dtype(np.float32), cache)
        lengths = np.zeros(len(array), np.int64)
        for row, data in enumerate(_open(array, where)):
            if data is not None:
                gather.add(self.scaled(self.tiles(data, place_of(where, row))).ravel())
                lengths[row] = self._steps
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return Encoded(gather.finish().reshape(-1, self.spec.width), offsets)

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(T, h·w·C) float32 of a picture's bytes, or (1, h·w·C) of one step's tile, and an empty memory.

        A tile is a list of numbers from 0 to 255, row by row from the top left, channels last.

        Raises:
            DataError: it is neither a whole picture nor the list of one tile.
        """
        if isinstance(value, bytes):
            return self.scaled(self.tiles(memoryview(value), place_of(where))), []
        width = self.spec.width
        numbers = np.asarray(value if isinstance(value, list | tuple | np.ndarray) else [], dtype=object)
        sound = numbers.shape == (width,) and all(isinstance(n, int | float | np.number) for n in numbers)
        if not sound or not all(0 <= n <= 255 for n in numbers):
            message = f"expected one step of a picture, a list of {width} numbers from 0 to 255"
            raise DataError(message, file=where.file, column=where.column)
        return self.scaled(numbers.astype(np.float64)[None]), []

    def decode(self, values: np.ndarray) -> bytes | None:
        """(T, h·w·C) as the bytes of a PNG file; ``None`` if there are no steps."""
        if not len(values):
            return None
        (high, wide), channels = self._tile, len(self.mean)
        tiles = values.astype(np.float64).reshape(-1, high * wide, channels) * np.array(self.std) + np.array(self.mean)
        pixels = tiles.round().clip(0, 255).astype(np.uint8)
        grid = pixels.reshape(self.height // high, self.width // wide, high, wide, channels).swapaxes(1, 2)
        return to_png(np.ascontiguousarray(grid.reshape(self.height, self.width, channels)))

    def tiles(self, data: memoryview, fail: Fail) -> np.ndarray:
        """The picture as tiles, (T, h·w·C) uint8, row by row from the top left.

        Raises:
            DataError: from ``fail``, if it is not a picture, or is damaged or too large.
        """
        (high, wide), channels = self._tile, len(self.mean)
        pixels = to_pixels(data, (self.height, self.width), channels, fail)
        grid = pixels.reshape(self.height // high, high, self.width // wide, wide, channels)
        return grid.swapaxes(1, 2).reshape(self._steps, high * wide * channels)

    def scaled(self, tiles: np.ndarray) -> np.ndarray:
        """Standardise tiles: (T, h·w·C) in 0 … 255 to the same shape in float32."""
        parts = tiles.reshape(len(tiles), -1, len(self.mean)).astype(np.float64)
        return ((parts - np.array(self.mean)) / np.array(self.std)).reshape(tiles.shape).astype(np.float32)

    def to_config(self) -> dict[str, Any]:
        """The learned values, as JSON."""
        return {
            "kind": self.kind,
            "layout": self.layout,
            "patch": self.patch,
            "height": self.height,
            "width": self.width,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        stored = load(_Stored, config, cls.kind)
        channels = len(stored.mean) in (1, 3) and len(stored.std) == len(stored.mean) and min(stored.std) > 0
        tiled = stored.height % stored.patch == 0 == stored.width % stored.patch
        if not channels or not tiled or (stored.patch > 1 and stored.layout != "patches"):
            raise ModelError("the image encoding of this model cannot be read: its numbers contradict each other")
        return cls(stored.layout, stored.patch, stored.height, stored.width, tuple(stored.mean), tuple(stored.std))

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many cells are empty, or ``""``."""
        empty = int((encoded.lengths() == 0).sum())
        return f"{empty} of {len(array)} cells have no picture" if empty else ""

    def report(self) -> str:
        """A one-line summary."""
        tiles = {"pixels": "pixels", "rows": "rows", "patches": f"patches of {self.patch} × {self.patch}"}[self.layout]
        colour = "grey" if len(self.mean) == 1 else "colour"
        return f"picture, {self.width} × {self.height} in {colour}, {self._steps} {tiles}"


def _open(array: pa.ChunkedArray, where: Where) -> list[memoryview | None]:
    if not is_binary(array.type) and not pa.types.is_null(array.type):
        message = f"expected the bytes of a picture in each row, found {array.type}"
        raise DataError(message, file=where.file, column=where.column)
    return list(blobs(array))


def place_of(where: Where, row: int | None = None) -> Fail:
    """Makes errors about the picture in ``row`` of a column."""
    place = None if row is None else where.row(row)
    return lambda message, hint: DataError(message, file=where.file, row=place, column=where.column, hint=hint)


def _layout(text: str) -> tuple[Layout, int]:
    """The layout, and the side of a patch."""
    name, _, side = text.partition(":")
    return ("patches", int(side)) if name == "patches" else ("pixels" if name == "pixels" else "rows", 1)


MEMBER = Image
