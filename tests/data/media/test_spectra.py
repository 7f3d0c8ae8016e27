"""Frames of a sound against librosa's, whose numbers ``expected/make_frames.py`` stored."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from unrolled.data.media.live_spectra import Listener, running
from unrolled.data.media.spectra import Frames, deltas, mel_bands
from unrolled.errors import ShapeError

STORED = json.loads((Path(__file__).parent / "expected" / "frames.json").read_text("utf-8"))
CASES = {"8 kHz": (8000, 40), "16 kHz": (16000, 80), "22.05 kHz": (22050, 40)}


def sound(rate: int) -> np.ndarray:
    """The one of ``make_frames.py``."""
    at = np.arange(rate // 2) / rate
    chirp = 0.4 * np.sin(2 * np.pi * (150 + 2500 * at) * at)
    tone = 0.2 * np.sin(2 * np.pi * 1234.5 * at) * (at > 0.2)
    return (chirp + tone) * (at < 0.4)


def some(table: np.ndarray) -> np.ndarray:
    """(T, W): the frames that were stored."""
    return table[sorted({*range(0, len(table), 7), 1, len(table) - 2, len(table) - 1})]


@pytest.mark.parametrize("name", CASES)
def test_frames_are_those_of_librosa(name: str) -> None:
    assert STORED["librosa"] == "0.11.0"
    (rate, bands), stored = CASES[name], STORED["cases"][name]
    frames = Frames(rate, bands)
    power = some(frames.power(torch.from_numpy(sound(rate))).T.numpy())
    wanted = np.array(stored["power"])
    assert_allclose(power, wanted, rtol=0, atol=1e-5 * wanted.max())
    assert_allclose(mel_bands(rate, frames.points, bands).sum(1), stored["bands"], rtol=1e-5)  # librosa's are float32
    decibels = some(frames(sound(rate)))
    assert decibels.min() == -100  # the silence at the end is floored
    assert_allclose(decibels, stored["decibels"], atol=1e-4)
    cepstra = Frames(rate, bands, cepstra=13)(sound(rate))
    assert_allclose(some(cepstra), stored["cepstra"], atol=1e-3)
    for order in (1, 2):
        assert_allclose(some(deltas(cepstra, order)), stored["deltas"][str(order)], atol=1e-3)


def test_a_power_by_hand() -> None:
    """One frame: window, transform and bands written out."""
    frames = Frames(1000, bands=3)
    assert (frames.window, frames.hop, frames.points) == (25, 10, 32)
    x = np.sin(np.arange(32.0))
    w = np.zeros(32)
    w[3:28] = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(25) / 25)
    spectrum = [abs(sum(w[n] * x[n] * np.exp(-2j * math.pi * k * n / 32) for n in range(32))) ** 2 for k in range(17)]
    wanted = mel_bands(1000, 32, 3).numpy() @ np.array(spectrum)
    assert_allclose(frames.power(torch.from_numpy(x))[:, 0], wanted, rtol=1e-12)


@pytest.mark.parametrize(("samples", "count"), [(0, 0), (1, 1), (255, 1), (256, 1), (335, 1), (336, 2), (8000, 97)])
def test_how_many_frames_a_sound_has(samples: int, count: int) -> None:
    frames = Frames(8000)
    assert frames.count(samples) == count
    assert frames(np.ones(samples, np.float32)).shape == (count, 40)


def test_long_sounds_are_made_in_blocks_and_are_the_same() -> None:
    frames = Frames(1000, bands=5)
    x = np.random.default_rng(0).standard_normal(10 * 5000 + 22)
    whole = frames(x)
    assert len(whole) == frames.count(len(x)) == 5000
    for at in (0, 2047, 2048, 4095, 4096, 4999):
        assert_allclose(whole[at], frames(x[at * 10 : at * 10 + 32])[0], rtol=1e-9)


def test_deltas_of_lines_and_parabolas() -> None:
    t = np.arange(30.0)[:, None]
    assert_allclose(deltas(5 - 2 * t, 1)[4:-4], -2, atol=1e-9)
    assert_allclose(deltas(3 * t**2, 2)[4:-4], 6, atol=1e-9)
    assert deltas(np.zeros((0, 3)), 1).shape == (0, 3)
    assert (deltas(np.ones((2, 3)), 2).round(9) == 0).all()


@pytest.mark.parametrize("scale", ["training", "running"])
def test_what_is_heard_in_any_pieces_is_what_a_file_gives(scale: str) -> None:
    frames = Frames(8000)
    x = sound(8000).astype(np.float32)
    mean, std = np.linspace(-50, -20, 40), np.linspace(5, 15, 40)
    whole = (frames(x) - mean) / std
    whole = running(whole)[0] if scale == "running" else whole
    for piece in (1, 79, 80, 81, 256, 1000, 4000):
        ear = Listener(frames, mean, std, scale)  # type: ignore[arg-type]
        heard = [frame for first in range(0, len(x), piece) for frame in ear.push(x[first : first + piece])]
        assert_allclose(np.array(heard), whole, rtol=1e-9, atol=1e-9)


def test_running_scale_is_the_mean_and_deviation_so_far() -> None:
    z = np.random.default_rng(1).normal(3, 2, (50, 2))
    t = 20
    prior = np.concatenate([np.ones((50, 2)), -np.ones((50, 2))])  # mean 0, variance 1, of 100 frames
    seen = np.concatenate([prior, z[: t + 1]])
    assert_allclose(running(z)[0][t], (z[t] - seen.mean(0)) / seen.std(0), rtol=1e-9)


def test_samples_of_two_channels_are_refused() -> None:
    ear = Listener(Frames(8000), np.zeros(40), np.ones(40), "training")
    with pytest.raises(ShapeError, match=r"samples must have shape \(N,\), not \(9, 2\): mix the channels first"):
        ear.push(np.zeros((9, 2)))
