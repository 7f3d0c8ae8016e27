"""Decode pictures (PNG, JPEG, …). The size is read from the header and checked before any pixel is decoded.

Axes: H rows of pixels, W columns, C channels: 1 (grey) or 3 (red, green, blue).
"""

from __future__ import annotations

import importlib.util
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from unrolled.errors import DataError, MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MOST_PIXELS", "Fail", "check_whole", "is_picture", "measure", "to_pixels", "to_png"]

MOST_PIXELS = 1 << 26  # 8192 × 8192; larger pictures are not decoded
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM", "TIFF")  # formats that cannot start other programs
_BEGINS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"P4", b"P5", b"P6", b"II*\0", b"MM\0*")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")

Fail = Callable[[str, str | None], DataError]
"""Makes the error that names the picture, from a message and a hint."""


def is_picture(data: memoryview) -> bool:
    """Whether ``data`` starts like a picture file.

    Example:
        >>> is_picture(memoryview(b"GIF89a...")), is_picture(memoryview(b"RIFF....WAVE"))
        (True, False)
    """
    begin = bytes(data[:12])
    return begin.startswith(_BEGINS) or (begin[:4] == b"RIFF" and begin[8:] == b"WEBP")


def measure(data: memoryview, fail: Fail) -> tuple[int, int, bool]:
    """H, W and whether the picture is grey, from its header only.

    Raises:
        DataError: the format is unknown or the picture has too many pixels.
        MissingExtra: pillow is not installed.
    """
    with _opened(data, fail) as picture:
        return picture.height, picture.width, picture.mode in _GREY


def check_whole(data: memoryview, fail: Fail) -> None:
    """Check that a picture can be decoded; a JPEG is decoded at a low resolution.

    Raises:
        DataError: the picture is damaged, or as in `measure`.
    """
    with _opened(data, fail) as picture:
        picture.draft(None, (max(1, picture.width // 8), max(1, picture.height // 8)))
        picture.load()


def to_pixels(data: memoryview, size: tuple[int, int] | None, channels: int, fail: Fail) -> np.ndarray:
    """Decode a picture: (H, W, C) uint8, resized to ``size`` (H, W) if one is given; transparency becomes white.

    Raises:
        DataError: the picture is damaged, or as in `measure`.
    """
    from PIL import Image, ImageOps

    with _opened(data, fail) as picture:
        upright: Image.Image = ImageOps.exif_transpose(picture)
        plain = _plain(upright, "L" if channels == 1 else "RGB")
        if size is not None and size != (plain.height, plain.width):
            plain = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        return np.array(plain, np.uint8).reshape(plain.height, plain.width, channels)


def to_png(pixels: np.ndarray) -> bytes:
    """(H, W, C) uint8 as a PNG file.

    Raises:
        MissingExtra: pillow is not installed.
    """
    _need_pillow()
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def _need_pillow() -> None:
    if importlib.util.find_spec("PIL") is None:
        raise MissingExtra("pillow", "video", "a picture")


@contextmanager
def _opened(data: memoryview, fail: Fail) -> Iterator[Image]:
    _need_pillow()
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; the size is checked below
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise _too_large(f"{picture.width} × {picture.height}", fail)
                yield picture
    except DataError:
        raise
    except Image.DecompressionBombError as error:  # raised before the picture exists, so its size is only in the text
        raise _too_large(next(iter(re.findall(r"\d+", str(error))), "too many"), fail) from None
    except Exception as error:  # damage raises many kinds of errors, from SyntaxError to struct.error
        reason = (str(error).splitlines() or [""])[0][:120]
        reason = "unknown format" if "cannot identify" in reason else reason or type(error).__name__
        raise fail(f"cannot be decoded as a picture: {reason}", "repair it, or leave it out") from None


def _too_large(size: str, fail: Fail) -> DataError:
    return fail(f"has {size} pixels; the limit is {MOST_PIXELS}", "make it smaller, or leave it out")


def _plain(picture: Image, mode: str) -> Image:
    """The picture in ``mode``, without a palette or transparency."""
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits: convert would clip values above 255
        picture = Image.fromarray((np.asarray(picture).clip(0, 65535) // 257).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return picture if picture.mode == mode else picture.convert(mode)
