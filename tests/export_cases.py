"""Small data for each kind of answer, and how it is trained, for the tests of exports."""

from __future__ import annotations

import math
from typing import Any

PLAIN: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "steps": 3, "hidden": 5}
EIGHT = range(16)


def wave(steps: int, k: int) -> list[float]:
    return [math.sin(i / 5 + k) for i in range(steps)]


GAPS: list[list[Any]] = [[None if (i + k) % 7 == 0 else x for i, x in enumerate(wave(40, k))] for k in range(6)]
TEXTS = [f"The dog, ran. É {k}" for k in EIGHT]
LABELS = ["a", "b"] * 8
TAGGED = {"w": [["a", "b", "c"]] * 16, "y": [["N", "V", "O"]] * 16}

CASES: dict[str, tuple[dict[str, list[Any]], dict[str, Any]]] = {
    "labels": (
        {"x": [wave(12, k) for k in EIGHT], "c": ["u", "v"] * 8, "y": LABELS},
        {"target": "y", "threshold": "0.4"},
    ),
    "several labels, letters of words": ({"x": TEXTS, "y": [["p", "q"], ["q"]] * 8}, {"target": "y"}),
    "a number": ({"x": TEXTS, "y": [float(k) for k in EIGHT]}, {"target": "y", "tokens": "bytes"}),
    "dates": (
        {"t": [[f"2024-01-{i + 1:02} 10:{k:02}" for i in range(9)] for k in EIGHT], "x": [wave(9, k) for k in EIGHT]}
        | {"y": LABELS},
        {"target": "y", "kinds": {"t": "calendar"}},
    ),
    "a forecast with gaps": ({"x": GAPS, "z": [[1.0, 2.0] * 20] * 6}, {"target": "x", "horizon": 3, "model": "gru"}),
    "quantiles": ({"x": [wave(40, k) for k in range(6)]}, {"target": "x", "horizon": 3, "quantiles": (0.2, 0.8)}),
    "a Gaussian": ({"x": [wave(40, k) for k in range(6)]}, {"target": "x", "horizon": 3, "distribution": "gaussian"}),
    "characters": ({"x": TEXTS}, {"tokens": "characters", "model": "transformer"}),
    "words that are written": ({"x": TEXTS}, {"tokens": "words"}),
    "a mixture with n-grams": ({"x": TEXTS}, {"tokens": "characters", "model": "gru", "blend": ["ngram"]}),
    "byte-pair tokens": ({"x": TEXTS}, {"tokens": "bpe"}),
    "items": ({"x": [[f"a{i * k % 5}" for i in range(9)] for k in EIGHT]}, {"kinds": {"x": "tokens"}}),
    "a roll": ({"x": [[[float((i + k + c) % 2) for c in range(3)] for i in range(9)] for k in EIGHT]}, {}),
    "the next values": ({"x": [[[a, -a] for a in wave(9, k)] for k in EIGHT]}, {"task": "next_step", "target": "x"}),
    "tags": (TAGGED, {"target": "y"}),
    "paths of tags": (TAGGED, {"target": "y", "crf": True, "model": "bilstm"}),
    "gaps to fill": ({"x": TEXTS}, {"task": "fill", "model": "bigru"}),
    "symbols in order": (
        {"x": [[[a, 2 * a] for a in wave(14, k)] for k in EIGHT], "y": ["abc", "bca"] * 8},
        {"target": "y", "task": "transcribe"},
    ),
    "a translation": (
        {"x": TEXTS, "y": TEXTS[::-1]},
        {"target": "y", "task": "translate", "tokens": "characters", "steps": 40, "lr": 0.02},
    ),
    "letters": (
        {"x": ["GATTACA" * 2 + "ACGT"[k % 4] * 4 for k in EIGHT]},
        {"task": "next_step", "model": "gru", "kinds": {"x": "symbols"}},
    ),
    "k-mers": ({"x": ["GATTACA" * 6 + "ACGT"[k % 4] * 4 for k in EIGHT], "y": LABELS}, {"target": "y", "kmer": 3}),
}
