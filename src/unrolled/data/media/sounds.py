"""Decode recordings (WAV, AIFF, FLAC, Ogg, MP3). The header gives the length, which is checked before decoding.

Axes: N samples.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.errors import DataError, MissingExtra

if TYPE_CHECKING:
    import soundfile

__all__ = ["LOWEST_RATE", "MOST_SAMPLES", "Fail", "check_whole", "is_sound", "rate_of", "to_samples"]

MOST_SAMPLES = 1 << 27  # of all channels together: 50 minutes at 44.1 kHz; longer recordings are not decoded
LOWEST_RATE, _HIGHEST_RATE = 1000, 768_000  # Hz
_BLOCK = 1 << 20  # samples decoded together
_OPEN = 0x7FFF_0000  # bytes: a WAV file written to a pipe, with its length unknown, gives at least this size
_FORMATS = ("WAV", "WAVEX", "RF64", "AIFF", "FLAC", "OGG", "MP3")

Fail = Callable[[str, str | None], DataError]
"""Makes the error that names the recording, from a message and a hint."""


def is_sound(data: memoryview) -> bool:
    """Whether ``data`` starts like a WAV, AIFF, FLAC, Ogg or MP3 file.

    Example:
        >>> is_sound(memoryview(b"fLaC....")), is_sound(memoryview(b"RIFF....WEBP"))
        (True, False)
    """
    begin = bytes(data[:12])
    wave = begin[:4] in (b"RIFF", b"RF64") and begin[8:] == b"WAVE"
    wave = wave or (begin[:4] == b"FORM" and begin[8:11] == b"AIF")
    layer_3 = len(begin) > 1 and begin[0] == 0xFF and begin[1] & 0xE6 == 0xE2
    return wave or layer_3 or begin.startswith((b"fLaC", b"OggS", b"ID3"))


def rate_of(data: memoryview, fail: Fail) -> int:
    """The sample rate in Hz, from the header only.

    Raises:
        DataError: the format is unknown or the recording has too many samples.
        MissingExtra: soundfile is not installed.
    """
    with _opened(data, fail) as file:
        return int(file.samplerate)


def check_whole(data: memoryview, fail: Fail) -> None:
    """Check that all of a recording can be decoded.

    Raises:
        DataError: the recording is damaged or empty, holds NaN or infinity, or as in `rate_of`.
    """
    with _opened(data, fail) as file:
        for _ in _blocks(file, fail):
            pass


def to_samples(data: memoryview, rate: int, fail: Fail) -> np.ndarray:
    """Decode a recording: (N,) float32, the mean of its channels, normally from -1 to 1, resampled to ``rate`` Hz.

    Raises:
        DataError: the recording is damaged or empty, holds NaN or infinity, or as in `rate_of`.
        MissingExtra: soundfile is not installed, or soxr is not and the recording has another rate.
    """
    with _opened(data, fail) as file:
        if file.frames * rate / file.samplerate > MOST_SAMPLES:
            raise _too_long(f"{file.frames * rate // file.samplerate} samples at {rate} Hz", fail)
        samples = np.concatenate(list(_blocks(file, fail)))
        own = int(file.samplerate)
    if own == rate:
        return samples
    if importlib.util.find_spec("soxr") is None:
        raise MissingExtra("soxr", "audio", f"a recording of {own} Hz among others of {rate}")
    import soxr

    resampled: np.ndarray = soxr.resample(samples, own, rate)
    return resampled


def _blocks(file: soundfile.SoundFile, fail: Fail) -> Iterator[np.ndarray]:
    """Decode a million samples at a time, mixed to one channel."""
    left = int(file.frames)
    found = 0
    while left > 0:
        block = file.read(min(left, max(1, _BLOCK // file.channels)), dtype="float32", always_2d=True)
        if not len(block):
            break
        if not np.isfinite(block).all():
            raise fail("has a sample that is NaN or infinite", "repair it, or leave it out")
        left -= len(block)
        found += len(block)
        yield block.mean(1, dtype=np.float32) if file.channels > 1 else block[:, 0]
    if not found:
        raise fail("has no samples", "leave it out")
    if left:
        raise fail(f"ends after {found} samples, but its header promises {found + left}", "repair it, or leave it out")


@contextmanager
def _opened(data: memoryview, fail: Fail) -> Iterator[Any]:
    if importlib.util.find_spec("soundfile") is None:
        raise MissingExtra("soundfile", "audio", "a recording")
    import soundfile

    data = _measured(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format not in _FORMATS:
                raise fail(f"has the format {file.format}, which cannot be read", "convert it to WAV or FLAC")
            if not LOWEST_RATE <= file.samplerate <= _HIGHEST_RATE:
                message = (
                    f"has a sample rate of {file.samplerate} Hz; it must be from {LOWEST_RATE} to {_HIGHEST_RATE} Hz"
                )
                raise fail(message, "resample it, or leave it out")
            if file.frames * file.channels > MOST_SAMPLES:
                raise _too_long(f"{file.frames} × {file.channels} samples", fail)
            _check_end(data, fail)
            yield file
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [""])[0].rpartition("Error opening ")[2][:120]
        reason = reason.partition(">: ")[2] or reason or type(error).__name__
        raise fail(f"cannot be decoded as a recording: {reason}", "repair it, or leave it out") from None


def _measured(data: memoryview) -> memoryview:
    """A WAV file whose length of sound is 0, as a recorder that was cut off leaves it, with the length that it has."""
    at, size = _sound_of(data)
    following = bytes(data[at : at + 4])
    if size or len(data) == at or (following.isalnum() and following.isascii()):  # another chunk: there is no sound
        return data
    return memoryview(bytes(data[: at - 4]) + (len(data) - at).to_bytes(4, "little") + bytes(data[at:]))


def _check_end(data: memoryview, fail: Fail) -> None:
    """Refuse a WAV file that was cut short, which soundfile reads as far as it goes."""
    at, size = _sound_of(data)
    if len(data) - at < size < _OPEN:
        found = f"ends after {len(data) - at} bytes of sound, but its header promises {size}"
        raise fail(found, "repair it, or leave it out")


def _sound_of(data: memoryview) -> tuple[int, int]:
    """Where the sound of a WAV file begins, and how many bytes it has by its header; (the end, 0) if there is none."""
    at = 12  # after RIFF, a size and WAVE come chunks: a name, a size, and so many bytes
    while bytes(data[:4]) == b"RIFF" and at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            return at, size
        at += size + size % 2
    return len(data), 0


def _too_long(size: str, fail: Fail) -> DataError:
    return fail(f"has {size}; the limit is {MOST_SAMPLES}", "cut it into pieces, or leave it out")
