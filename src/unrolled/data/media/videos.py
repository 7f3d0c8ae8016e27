"""Decode videos (MP4, Matroska, WebM, AVI) into small pictures, with limits on size and length."""

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
    """Yield every frame as a PNG file, shrunk so that no side is larger than `LARGEST_SIDE`.

    Raises:
        DataError: the format is unknown, the video is damaged, or it has too many frames or pixels.
        MissingExtra: av is not installed.
    """
    if importlib.util.find_spec("av") is None:
        raise MissingExtra("av", "video", "a video")
    import av

    try:
        # The format is fixed, so that a playlist cannot lead to other files or the network.
        with av.open(io.BytesIO(data), "r", format=_format(data, fail)) as video:
            if not video.streams.video:
                raise fail("has no video stream", "leave it out")
            stream = video.streams.video[0]
            _check_size(stream.width, stream.height, fail)
            count = 0
            for frame in video.decode(stream):
                count += 1
                if count > MOST_FRAMES:
                    raise fail(f"has more than {MOST_FRAMES} frames, the limit", "cut it into pieces")
                _check_size(frame.width, frame.height, fail)
                shrunk = min(1.0, LARGEST_SIDE / max(frame.width, frame.height))
                width, height = (max(1, round(side * shrunk)) for side in (frame.width, frame.height))
                yield to_png(np.ascontiguousarray(frame.to_ndarray(format="rgb24", width=width, height=height)))
    except (DataError, MissingExtra):
        raise
    except Exception:  # damage raises many kinds of errors, with texts that do not help a user
        raise fail("cannot be decoded as a video: its frames are damaged", "repair it, or leave it out") from None
    if not count:
        raise fail("has no frames", "leave it out")


def _format(data: memoryview, fail: Fail) -> str:
    begin = bytes(data[:12])
    if begin[4:8] == b"ftyp":
        return "mp4"
    if begin.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if begin[:4] == b"RIFF" and begin[8:] == b"AVI ":
        return "avi"
    raise fail("cannot be decoded as a video: unknown format", "repair it, or leave it out")


def _check_size(width: int, height: int, fail: Fail) -> None:
    if width * height > MOST_PIXELS:
        message = f"has frames of {width} × {height} pixels; the limit is {MOST_PIXELS} pixels"
        raise fail(message, "make it smaller, or leave it out")
