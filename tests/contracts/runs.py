"""Whole runs that the contracts fit: each plan of batches, each kind of question, in seconds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unrolled import api
from unrolled.runs.trained import Trained
from unrolled.storage.directories import read_directory
from unrolled.training.trainer import Trainer

__all__ = ["RUNS", "Run", "as_lines", "log_of", "same_run"]

_random = np.random.default_rng(0)
_TEXTS = ["".join(_random.choice(list("abcd "), n)) for n in _random.integers(2, 30, 24)]
_SHORT = [text[:10] for text in _TEXTS]  # answers are written step by step, by several beams
_WAVES = [np.sin(0.7 * np.arange(n) + n).round(3).tolist() for n in (40, 25)]


_TICK = 1 / 128  # exact in binary, however late it is


@contextmanager
def ticking() -> Iterator[None]:
    """Trainers read a clock that goes on by one tick each time it is read, from 0."""
    defaults: Any = Trainer.__init__.__kwdefaults__
    clock, ticks = defaults["clock"], itertools.count()
    defaults["clock"] = lambda: next(ticks) * _TICK
    try:
        yield
    finally:
        defaults["clock"] = clock


@dataclass(frozen=True)
class Run:
    """Data in memory and what is asked of it."""

    data: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def fit(self, out: Path, *hooks: Any, **more: Any) -> Trained:
        small = {"steps": 12, "hidden": 4, "batch": 4, "seed": 3, "lr": 0.02, "device": "cpu"}
        with ticking():
            return api.fit(self.data, out=out, hooks=hooks, **{**small, **self.options, **more})

    def resume(self, out: Path, *hooks: Any) -> Trained:
        with ticking():
            return api.fit(self.data, out=out, resume=True, hooks=hooks)


RUNS: dict[str, Run] = {
    "rows with dropout": Run(
        {"text": _TEXTS, "label": ["yes" if "a" in text else "no" for text in _TEXTS]},
        {"target": "label", "tokens": "characters", "dropout": 0.3, "layers": 2, "model": "bilstm"},
    ),
    "rows in epochs": Run(
        {"text": _TEXTS, "size": [float(len(text)) for text in _TEXTS]},
        {"target": "size", "tokens": "characters", "steps": None, "epochs": 2.5, "model": "gru", "embedding": 0}
        | {"shuffle": "blocks"},
    ),
    "rows by the clock": Run(
        {"text": _TEXTS, "label": ["yes" if "a" in text else "no" for text in _TEXTS]},
        {"target": "label", "tokens": "characters", "model": "gru", "steps": None, "minutes": 60 * _TICK / 60},
    ),
    "plain rows": Run(
        {"age": list(range(24)), "city": list("uvw") * 8, "passed": [n > 11 for n in range(24)]},
        {"target": "passed", "model": "mlp"},
    ),
    "frames with parts hidden": Run(
        {
            "frames": [_random.normal(size=(n, 7)).tolist() for n in range(10, 34)],
            "odd": [n % 2 == 1 for n in range(24)],
        },
        {"target": "odd", "spec_augment": True, "model": "gru"},
    ),
    "rolls in other keys": Run(
        {
            "keys": [
                (_random.random((n, 88)) < np.eye(88)[40:48].sum(0) / 4).astype(int).tolist() for n in range(10, 34)
            ]
        },
        {"transpose": 6, "bptt": 7, "model": "gru", "plan": "fixed"},
    ),
    "lanes": Run({"text": _TEXTS}, {"bptt": 8, "model": "lstm", "dropout": 0.2}),
    "lanes, k2 > k1": Run({"text": _TEXTS}, {"bptt": 4, "bptt_gradient": 12, "model": "gru", "plan": "fixed"}),
    "lanes of labels": Run(
        {"letters": [list(text) for text in _TEXTS], "tags": [[c == "a" for c in text] for text in _TEXTS]},
        {"target": "tags", "bptt": 5, "model": "lstm", "plan": "fixed"},
    ),
    "labels together": Run(
        {
            "letters": [list(text) for text in _TEXTS],
            "tags": [
                ["BI"[text[:t].endswith("a")] + "-a" if c == "a" else "O" for t, c in enumerate(text)]
                for text in _TEXTS
            ],
        },
        {"target": "tags", "crf": True, "model": "bigru", "dropout": 0.2, "plan": "fixed"},
    ),
    "lanes of attention": Run(
        {"text": _TEXTS},
        {
            "bptt": 4,
            "bptt_gradient": 8,
            "model": "transformer",
            "attention_window": 6,
            "dropout": 0.1,
            "plan": "fixed",
        },
    ),
    "hidden tokens": Run(
        {"text": _TEXTS},
        {"task": "fill", "tokens": "characters", "model": "bigru", "mask": 0.3, "bptt": 9, "steps": None, "epochs": 2},
    ),
    "items, of which few are compared with": Run(
        {"item": [list(text) for text in _TEXTS]},
        {
            "kinds": {"item": "tokens"},
            "model": "transformer",
            "tied": True,
            "sampled_softmax": 3,
            "dropout": 0.2,
            "plan": "fixed",
        },
    ),
    "windows": Run({"wave": _WAVES}, {"horizon": 3, "lookback": 8, "quantiles": [0.1, 0.5, 0.9], "model": "window"}),
    "windows that know a plan": Run(
        {
            "wave": [[*wave, None, None, None] for wave in _WAVES],
            "plan": [[0.5, *(float(value > 0) for value in wave), 1.0, 0.0] for wave in _WAVES],
        },
        {"target": "wave", "horizon": 3, "lookback": 8, "known_ahead": ["plan"], "model": "gru", "plan": "fixed"}
        | {"shuffle": "blocks"},
    ),
    "several at once": Run(
        {"keys": [_random.integers(0, 2, (9, 3)).tolist() for _ in range(12)]},
        {"model": "rnn", "steps": None, "epochs": 3},
    ),
    "sequences of their own": Run(
        {"text": _SHORT, "upper": [text.upper() for text in _SHORT]},
        {
            "target": "upper",
            "task": "translate",
            "tokens": "characters",
            "model": "gru",
            "layers": 2,
            "dropout": 0.2,
            "tied": True,
            "scheduled_sampling": 0.3,
        },
    ),
    "sequences of their own, without recurrence": Run(
        {"text": _SHORT, "upper": [list(text.upper()) for text in _SHORT]},
        {"target": "upper", "task": "translate", "tokens": "characters", "model": "transformer", "dropout": 0.1},
    ),
}


def as_lines(data: dict[str, Any], path: Path, most: int | None = None) -> str:
    """The same rows, or the first ``most``, as a file of JSON lines."""
    rows = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)][:most]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def same_run(found: Path, expected: Path) -> None:
    """Assert that two finished runs ended with the same weights, encodings and results, to the bit."""
    a, b = read_directory(found), read_directory(expected)
    assert a.keys() == b.keys()
    for name in a:
        if name != "README.md":  # it tells the seconds
            assert a[name] == b[name], name
    assert log_of(found) == log_of(expected)


def log_of(run: Path) -> list[dict[str, Any]]:
    """What was logged, without the times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]
