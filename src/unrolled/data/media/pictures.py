"""Encoded pictures (PNG, JPEG, …) and their pixels. The size is read from the header and bounded before a pixel is.

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

MOST_PIXELS = 1 << 26  # 8192 × 8192: a picture of more is not decoded
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM")  # decoded in the process, by code without scripts or programs
_BEGINS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"P4", b"P5", b"P6")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")

Fail = Callable[[str, str | None], DataError]
"""From a message and a hint: the error that names the picture's place."""


def is_picture(data: memoryview) -> bool:
    """Whether ``data`` begins as a picture does.

    Example:
        >>> is_picture(memoryview(b"GIF89a...")), is_picture(memoryview(b"RIFF....WAVE"))
        (True, False)
    """
    begin = bytes(data[:12])
    return begin.startswith(_BEGINS) or (begin[:4] == b"RIFF" and begin[8:] == b"WEBP")


def measure(data: memoryview, fail: Fail) -> tuple[int, int, bool]:
    """H, W and whether there is no colour, from the header alone.

    Raises:
        DataError: it is no picture that we read, or one of too many pixels.
        MissingExtra: pillow is not installed.
    """
    with _opened(data, fail) as picture:
        return picture.height, picture.width, picture.mode in _GREY


def check_whole(data: memoryview, fail: Fail) -> None:
    """Decode all of a picture once, a JPEG coarsely.

    Raises:
        DataError: it is damaged, or as `measure`.
    """
    with _opened(data, fail) as picture:
        picture.draft(None, (max(1, picture.width // 8), max(1, picture.height // 8)))
        picture.load()


def to_pixels(data: memoryview, size: tuple[int, int] | None, channels: int, fail: Fail) -> np.ndarray:
    """(H, W, C) uint8, brought to ``size`` (H, W) if it is another; what is transparent becomes white.

    Raises:
        DataError: it is damaged, or as `measure`.
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
            warnings.simplefilter("ignore")  # of oddities in metadata; the size is judged below
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise _bomb(f"{picture.width} × {picture.height}", fail)
                yield picture
    except DataError:
        raise
    except Image.DecompressionBombError as error:  # before there is a picture to ask for its size
        raise _bomb(next(iter(re.findall(r"\d+", str(error))), "so many"), fail) from None
    except Exception as error:  # a decoder meets damage in a dozen ways, from SyntaxError to struct.error
        reason = (str(error).splitlines() or [""])[0][:120]
        reason = "no format that is known" if "cannot identify" in reason else reason or type(error).__name__
        raise fail(f"is not a whole picture: {reason}", "repair it, or leave it out") from None


def _bomb(size: str, fail: Fail) -> DataError:
    return fail(f"has {size} pixels, and no more than {MOST_PIXELS} are decoded", "make it smaller, or leave it out")


def _plain(picture: Image, mode: str) -> Image:
    """Without palette, transparency or more than 8 bits."""
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits: converting would cut off what is above 255
        picture = Image.fromarray((np.asarray(picture).clip(0, 65535) // 257).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return picture if picture.mode == mode else picture.convert(mode)
