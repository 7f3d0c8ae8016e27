"""Encoded videos (MP4, Matroska, WebM, AVI) → their frames as small pictures. Size and length are bounded first."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator

import numpy as np

from unrolled.data.media.pictures import MOST_PIXELS, Fail, to_png
from unrolled.errors import DataError, MissingExtra

__all__ = ["LARGEST_SIDE", "MOST_FRAMES", "frames"]

MOST_FRAMES = 10_000  # of one video
LARGEST_SIDE = 64  # of a frame that is kept


def frames(data: memoryview, fail: Fail) -> Iterator[bytes]:
    """Every frame as a PNG file, made smaller until no side is over `LARGEST_SIDE`.

    Raises:
        DataError: it is no video that we read, a damaged one, or has too many frames or pixels.
        MissingExtra: av is not installed.
    """
    if importlib.util.find_spec("av") is None:
        raise MissingExtra("av", "video", "a video")
    import av

    try:
        # The format is named, so that no playlist is followed to other files or to a network.
        with av.open(io.BytesIO(data), "r", format=_format(data, fail)) as video:
            if not video.streams.video:
                raise fail("has no pictures", "leave it out")
            stream = video.streams.video[0]
            _check_size(stream.width, stream.height, fail)
            count = 0
            for frame in video.decode(stream):
                count += 1
                if count > MOST_FRAMES:
                    raise fail(f"has more than {MOST_FRAMES} frames, the most that are read", "cut it into pieces")
                _check_size(frame.width, frame.height, fail)
                shrunk = min(1.0, LARGEST_SIDE / max(frame.width, frame.height))
                width, height = (max(1, round(side * shrunk)) for side in (frame.width, frame.height))
                yield to_png(np.ascontiguousarray(frame.to_ndarray(format="rgb24", width=width, height=height)))
    except (DataError, MissingExtra):
        raise
    except Exception:  # a decoder meets damage in a dozen ways, and tells of them in its own terms
        raise fail("is not a whole video: its pictures cannot be decoded", "repair it, or leave it out") from None
    if not count:
        raise fail("has no frame", "leave it out")


def _format(data: memoryview, fail: Fail) -> str:
    begin = bytes(data[:12])
    if begin[4:8] == b"ftyp":
        return "mp4"
    if begin.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if begin[:4] == b"RIFF" and begin[8:] == b"AVI ":
        return "avi"
    raise fail("is not a whole video: no format that is known", "repair it, or leave it out")


def _check_size(width: int, height: int, fail: Fail) -> None:
    if width * height > MOST_PIXELS:
        message = f"has frames of {width} × {height} pixels, and no more than {MOST_PIXELS} are decoded"
        raise fail(message, "make it smaller, or leave it out")
