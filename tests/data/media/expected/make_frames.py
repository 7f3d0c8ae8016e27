"""Writes frames.json: what librosa makes of a sound that `sound` computes, for tests/data/media/test_spectra.py.

python -m venv lib && lib/bin/pip install librosa==0.11.0 && lib/bin/python tests/data/media/expected/make_frames.py
"""

import json
from pathlib import Path

import librosa
import numpy as np

CASES = {"8 kHz": (8000, 40), "16 kHz": (16000, 80), "22.05 kHz": (22050, 40)}


def sound(rate: int) -> np.ndarray:
    """Half a second: a chirp, a tone that begins late, silence at the end; no random numbers, so any NumPy makes it."""
    at = np.arange(rate // 2) / rate
    chirp = 0.4 * np.sin(2 * np.pi * (150 + 2500 * at) * at)
    tone = 0.2 * np.sin(2 * np.pi * 1234.5 * at) * (at > 0.2)
    return (chirp + tone) * (at < 0.4)


def expected(rate: int, bands: int) -> dict[str, object]:
    window, hop = round(rate * 0.025), round(rate * 0.010)
    points = 1 << (window - 1).bit_length()
    power = librosa.feature.melspectrogram(
        y=sound(rate), sr=rate, n_fft=points, win_length=window, hop_length=hop, n_mels=bands, center=False
    )
    decibels = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    cepstra = librosa.feature.mfcc(S=decibels, n_mfcc=13)
    changes = {str(n): librosa.feature.delta(cepstra, width=9, order=n, mode="nearest") for n in (1, 2)}
    return {
        "bands": librosa.filters.mel(sr=rate, n_fft=points, n_mels=bands).sum(1).tolist(),
        "power": some(power),
        "decibels": some(decibels),
        "cepstra": some(cepstra),
        "deltas": {n: some(table) for n, table in changes.items()},
    }


def some(table: np.ndarray) -> list[list[float]]:
    """Every seventh frame and both ends, to 9 digits, frames first."""
    rows = sorted({*range(0, table.shape[1], 7), 1, table.shape[1] - 2, table.shape[1] - 1})
    return [[float(f"{value:.9g}") for value in table[:, row]] for row in rows]


if __name__ == "__main__":
    made = {"librosa": librosa.__version__, "cases": {name: expected(*case) for name, case in CASES.items()}}
    Path(__file__).with_name("frames.json").write_text(json.dumps(made) + "\n")
