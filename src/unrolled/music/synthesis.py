"""Synthesise a tune as sound: every note is a sum of decaying harmonics, and higher ones decay faster.

Axes: N samples, H harmonics.
"""

from __future__ import annotations

import io
import wave

import numpy as np

from unrolled.errors import DataError
from unrolled.music.tune import Tune

__all__ = ["LONGEST", "RATE", "to_samples", "to_wave"]

RATE = 22_050  # samples a second
LONGEST = 600  # seconds; longer tunes are refused
_MOST = 3_600  # seconds; the durations of all notes, added up

_HARMONICS = 8
_FADE = 1.5  # decay rate per second of the first harmonic; the h-th decays h times as fast
_ATTACK, _RELEASE = 0.008, 0.04  # seconds
_LOUDEST = 0.8


def to_samples(tune: Tune) -> np.ndarray:
    r"""Synthesise a tune, with its repeats, at a peak amplitude of 0.8.

    .. math:: x(t) = \sum_{h=1}^{8} h^{-1.5} e^{-1.5 h t} \sin(2 π h f t), \qquad f = 440 · 2^{(p - 69) / 12}

    with an attack of 8 ms and a release of 40 ms; harmonics above half the sampling rate are left out.

    Shape:
        (N,) float32.

    Raises:
        DataError: the tune would last more than ten minutes, or its notes together more than an hour.

    Cost: O(H N) per note that sounds.

    Example:
        >>> from unrolled.music.abc import parse_abc
        >>> sound = to_samples(parse_abc("L:1/4\nQ:1/4=60\nK:C\nA2"))
        >>> len(sound) / RATE, round(float(abs(sound).max()), 2)
        (2.04, 0.8)
    """
    played = tune.played()
    second = 60 / float(tune.tempo)  # seconds per whole note
    ends = max(float(note.onset + note.duration) for note in played.notes) * second
    if ends > LONGEST:
        raise DataError(f"lasts {ends:.0f} seconds; at most {LONGEST} can be played", file="the tune")
    together = sum(float(note.duration) for note in played.notes) * second
    if together > _MOST:
        raise DataError(f"has notes of {together:.0f} seconds in total; at most {_MOST} can be played", file="the tune")
    sound = np.zeros(round((ends + _RELEASE) * RATE), np.float32)
    tones: dict[tuple[int, int], np.ndarray] = {}
    for note in played.notes:
        first = round(float(note.onset) * second * RATE)
        size = min(round((float(note.duration) * second + _RELEASE) * RATE), len(sound) - first)
        key = note.pitch, size
        if key not in tones:
            tones[key] = _tone(*key)
        sound[first : first + size] += tones[key]
    return sound * np.float32(_LOUDEST / max(float(np.abs(sound).max()), 1e-9))


def to_wave(tune: Tune) -> bytes:
    """Convert a tune to a WAV file: one channel of 16 bits at 22.05 kHz.

    Raises:
        DataError: as for `to_samples`.
    """
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((to_samples(tune) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def _tone(pitch: int, size: int) -> np.ndarray:
    time = np.arange(size) / RATE  # (N,)
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    wanted = [h for h in range(1, _HARMONICS + 1) if h * frequency < RATE / 2]
    tone = sum(np.sin(2 * np.pi * h * frequency * time) * np.exp(-_FADE * h * time) * h**-1.5 for h in wanted)
    envelope = np.minimum(1, np.minimum(time / _ATTACK, (size / RATE - time) / _RELEASE))
    return np.asarray(tone * envelope, np.float32)
