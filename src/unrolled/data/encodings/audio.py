"""Audio: a step is a frame, a window of 25 ms every 10 ms, as log-mel bands or as cepstra (MFCC).

    z = (x - mean) / std,  x a feature of a frame; mean and std of training, of the clip, or of the clip so far

Sound cannot be restored from frames: `decode` returns frames, not samples. In a stream, the `Listener` turns samples
into frames as they arrive.

Axes: N samples, T frames, W features of a frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field

from unrolled.batch import Continuous
from unrolled.config import Part, option
from unrolled.data.encodings._gather import Gather
from unrolled.data.encodings._stored import Stored, load
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where
from unrolled.data.io.blobs import begins_as, blobs, is_binary
from unrolled.data.media.live_spectra import Listener, Scale, running
from unrolled.data.media.sounds import Fail, is_sound, rate_of, to_samples
from unrolled.data.media.spectra import Frames, deltas
from unrolled.errors import DataError, ModelError, UsageError, named

__all__ = ["Audio"]

_BANDS, _CEPSTRA = 40, 13
_LEAST_STD = 1e-3  # dB; a feature that varies less counts as constant


class _Stored(Stored):
    kind: Literal["audio"]
    rate: int = Field(ge=1000, le=768_000)
    bands: int = Field(ge=1, le=999)
    cepstra: int = Field(ge=0, le=999)
    deltas: int = Field(ge=0, le=2)
    scale: Scale
    mean: list[float]
    std: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A column of recordings; each cell holds the bytes of an audio file.

    Attributes:
        frames: how frames are computed; every recording is resampled to ``frames.rate`` first.
        deltas: 1 adds the first differences of all features after them; 2 also adds the second differences.
        scale: a frame is scaled by the mean and std of all ``training`` data, its ``clip``, or its clip so far
            (``running``).
        mean, std: (W,), those of training.

    Example:
        >>> import io, wave
        >>> file = io.BytesIO()
        >>> with wave.open(file, "wb") as clip:
        ...     clip.setparams((1, 2, 8000, 0, "NONE", ""))
        ...     clip.writeframes((np.sin(np.arange(8000)) * 9999).astype("<i2").tobytes())
        >>> column = pa.chunked_array([[file.getvalue()]])
        >>> audio = Audio.fit(column, Audio.Options(audio="mfcc:13"), Role(), Where("memory", "sound"))
        >>> audio.encode(column, Where("memory", "sound")).values.shape
        (97, 13)
    """

    class Options(Part):
        """The options for recordings."""

        audio: str = option(
            "logmel",
            "Features of recordings, every 10 ms: logmel:40 for 40 log-mel bands, or mfcc:13 for 13 cepstra.",
            pattern=r"^(logmel(:[1-9]\d{0,2})?|mfcc(:([1-9]|[123]\d|40))?)$",
            examples=("logmel:40 (of 1-999 bands)", "mfcc:13 (of 1-40 cepstra)"),
            also=("n_mels", "n_mfcc", "num_mel_bins"),
        )
        audio_rate: int | None = option(
            None,
            "Resample recordings to this rate, in Hz. Default: the most frequent rate.",
            ge=1000,
            le=768_000,
            also=("sample_rate", "sampling_rate", "sr"),
        )
        audio_deltas: int = option(
            0,
            "Add the first differences of the features (1), or the first and second (2).",
            ge=0,
            le=2,
            also=("deltas", "delta"),
        )
        audio_scale: Literal["training", "clip", "running"] = option(
            "training",
            "Scale features by the mean and deviation of the training data, of the clip, or of the clip so far.",
            also=("cmvn", "normalize_audio"),
        )

    kind: ClassVar[str] = "audio"
    traits: ClassVar[Traits] = Traits(measured=True, whole=True)
    rule: ClassVar[str] = "the features of each frame, scaled as the configuration says"

    frames: Frames
    deltas: int
    scale: Scale
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """98 for the bytes of audio files."""
        return 98 if begins_as(array, is_sound) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Audio.Options, role: Role, where: Where) -> Self:
        """Learn the rate, and the mean and std of each feature, from all recordings.

        Without the option ``audio_rate``, the rate is the most frequent one.

        Raises:
            DataError: a recording is damaged or too long, a cell is not a recording, or there are no recordings.
            MissingExtra: soundfile is not installed; or soxr, if rates differ.
        """
        cells = _open(array, where)
        rates = Counter(rate_of(data, _fail(where, row)) for row, data in cells if data is not None)
        if not rates:
            raise DataError("has no recordings", file=where.file, column=where.column)
        rate = options.audio_rate or max(rates, key=lambda rate: (rates[rate], rate))
        name, _, count = options.audio.partition(":")
        if name == "mfcc":
            frames = Frames(rate, _BANDS, int(count or _CEPSTRA))
        else:
            frames = Frames(rate, int(count or _BANDS))
        width = frames.width * (1 + options.audio_deltas)
        blank = cls(frames, options.audio_deltas, options.audio_scale, (0.0,) * width, (1.0,) * width)
        total, squares, number = np.zeros(width), np.zeros(width), 0
        for _, numbers in blank._features(array, where):
            total += numbers.sum(0)
            squares += np.square(numbers).sum(0)
            number += len(numbers)
        mean = total / number
        std = np.sqrt(np.maximum(squares / number - mean**2, 0))
        std[std < _LEAST_STD] = 1
        return cls(frames, options.audio_deltas, options.audio_scale, tuple(mean.tolist()), tuple(std.tolist()))

    @property
    def spec(self) -> Continuous:
        """W features per step."""
        return Continuous(len(self.mean), time=True)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(T of all recordings, W) float32; memory-mapped from ``cache`` if over 64 MB. An empty cell has no steps.

        Raises:
            DataError: a cell is not a recording, or the recording is damaged or too long.
            MissingExtra: soundfile is not installed; or soxr, if a recording has another rate.
            SpaceError: the disk that holds ``cache`` is full.
        """
        gather = Gather(np.dtype(np.float32), cache)
        lengths = np.zeros(len(array), np.int64)
        for row, numbers in self._features(array, where):
            gather.add(self._scaled(numbers).astype(np.float32).ravel())
            lengths[row] = len(numbers)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return Encoded(gather.finish().reshape(-1, len(self.mean)), offsets)

    def _features(self, array: pa.ChunkedArray, where: Where) -> Iterator[tuple[int, np.ndarray]]:
        """The row and the unscaled features, (T, W) float64, of each recording."""
        for row, data in _open(array, where):
            if data is not None:
                plain = self.frames(to_samples(data, self.frames.rate, _fail(where, row)))
                parts = [plain, *(deltas(plain, order) for order in range(1, self.deltas + 1))]
                yield row, np.concatenate(parts, 1)

    def _scaled(self, numbers: np.ndarray) -> np.ndarray:
        """The scaled features, (T, W), of one recording."""
        if self.scale == "clip":
            scaled: np.ndarray = (numbers - numbers.mean(0)) / np.maximum(numbers.std(0), _LEAST_STD)
            return scaled
        z = (numbers - np.array(self.mean)) / np.array(self.std)
        return running(z)[0] if self.scale == "running" else z

    def listen(self) -> Listener:
        """A listener for a stream: it takes samples at ``frames.rate`` and returns frames for a live session.

        Raises:
            UsageError: frames depend on later ones, because of deltas or of the whole clip's scale.
        """
        if self.deltas or self.scale == "clip":
            reason = "deltas need later frames" if self.deltas else "the scale needs the whole clip"
            raise UsageError(
                f"this model cannot process live audio, because {reason}; train it with {named('audio_deltas')} 0 and "
                f"{named('audio_scale')} running"
            )
        return Listener(self.frames, np.array(self.mean), np.array(self.std), self.scale)

    def hear(self, data: memoryview, where: Where) -> list[list[float]]:
        """The frames of a recording, each as a live session takes it.

        Raises:
            DataError: it is damaged or too long.
            UsageError: as for `listen`.
        """
        return self.listen().push(to_samples(data, self.frames.rate, _fail(where, None)))

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1, W) float32 of a frame from `listen`, or (T, W) of a recording's bytes, and an empty memory.

        Raises:
            DataError: it is neither a whole recording nor a list of W finite numbers.
            UsageError: it is a recording, and the model cannot process live audio.
        """
        width = len(self.mean)
        if isinstance(value, bytes):
            return np.array(self.hear(memoryview(value), where), np.float64).reshape(-1, width).astype(np.float32), []
        if isinstance(value, list | tuple | np.ndarray) and len(value) == width:
            numbers = [item for item in value if isinstance(item, int | float | np.number)]
            frame = np.array(numbers, np.float64).astype(np.float32)
            if frame.shape == (width,) and np.isfinite(frame).all():
                return frame[None], []
        message = f"expected a frame of {width} finite numbers, as the encoding's listen() returns it"
        raise DataError(message, file=where.file, column=where.column)

    def decode(self, values: np.ndarray) -> list[list[float]]:
        """(T, W) as a list of scaled frames: sound cannot be restored from them."""
        frames: list[list[float]] = values.astype(np.float64).tolist()
        return frames

    def to_config(self) -> dict[str, Any]:
        """The learned values, as JSON."""
        return {
            "kind": self.kind,
            "rate": self.frames.rate,
            "bands": self.frames.bands,
            "cepstra": self.frames.cepstra,
            "deltas": self.deltas,
            "scale": self.scale,
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
        frames = Frames(stored.rate, stored.bands, stored.cepstra)
        width = frames.width * (1 + stored.deltas)
        sound = len(stored.mean) == len(stored.std) == width and min(stored.std) > 0
        if not sound or stored.cepstra > stored.bands:
            raise ModelError("the audio encoding of this model cannot be read: its numbers contradict each other")
        return cls(frames, stored.deltas, stored.scale, tuple(stored.mean), tuple(stored.std))

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many cells are empty or resampled, or ``""``."""
        where = Where("memory", "sound")
        rates = [rate_of(data, _fail(where, row)) for row, data in _open(array, where) if data is not None]
        other = sum(rate != self.frames.rate for rate in rates)
        parts = [f"{len(array) - len(rates)} of {len(array)} cells have no sound"] if len(rates) < len(array) else []
        parts += [f"{other} of {len(rates)} recordings are resampled to {self.frames.rate} Hz"] if other else []
        return "; ".join(parts)

    def report(self) -> str:
        """A one-line summary."""
        numbers = f"{self.frames.cepstra} cepstra" if self.frames.cepstra else f"{self.frames.bands} log-mel bands"
        changes = ("", ", with deltas", ", with deltas of two orders")[self.deltas]
        whose = {"training": "training", "clip": "each clip", "running": "the clip so far"}[self.scale]
        return f"sound at {self.frames.rate} Hz, {numbers} every 10 ms{changes}, scaled by {whose}"


def _open(array: pa.ChunkedArray, where: Where) -> Iterator[tuple[int, memoryview | None]]:
    if not is_binary(array.type) and not pa.types.is_null(array.type):
        message = f"expected the bytes of a recording in each row, found {array.type}"
        raise DataError(message, file=where.file, column=where.column)
    return enumerate(blobs(array))


def _fail(where: Where, row: int | None) -> Fail:
    place = None if row is None else where.row(row)
    return lambda message, hint: DataError(message, file=where.file, row=place, column=where.column, hint=hint)


MEMBER = Audio
