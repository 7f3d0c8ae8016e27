"""Classify notes by their sound: tones with overtones and noise, as WAV files in one folder per note.

python examples/tones_by_pitch.py [MODEL]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

import unrolled as ur

model, random = sys.argv[1] if len(sys.argv) > 1 else "gru", np.random.default_rng(0)
with tempfile.TemporaryDirectory() as folder:
    for note, hertz in {"A4": 440.0, "C5": 523.25, "E5": 659.26, "A5": 880.0}.items():
        Path(folder, note).mkdir()
        for clip in range(25):
            at = np.arange(random.integers(1500, 3000)) / 8000
            loud, bright, noise = random.uniform([0.05, 0.1, 0], [0.4, 0.9, 0.03])
            tone = sum(bright**n * np.sin(2 * np.pi * hertz * (n + 1) * at + n) for n in range(3))
            soundfile.write(Path(folder, note, f"{clip}.wav"), loud * tone + noise * random.normal(size=at.shape), 8000)
    trained = ur.fit(folder, target="label", model=model, hidden=32, steps=80, lr=5e-3, test=0.2, out="runs/tones")
print(f"{model}: {trained.metrics['test']['accuracy']:.1%} of the held-out notes are classified correctly")
