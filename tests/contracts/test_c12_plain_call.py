"""C12: on its own validation data a plain call is at least as good as every baseline in its table.

Each case has data on which one simple rule cannot be beaten, and a network that has hardly learned.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled import api
from unrolled.metrics.metric import cost
from unrolled.tasks.task import TASKS

STEPS = 15


@dataclass(frozen=True)
class Case:
    """Data in memory, and what is asked of it."""

    data: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _walk(steps: int) -> list[float]:
    return np.cumsum(_random(1).normal(size=steps)).round(3).tolist()


def _season(steps: int) -> list[float]:
    return np.tile(_random(2).normal(size=12).round(2), steps // 12).tolist()


def _bags(rows: int) -> dict[str, Any]:
    """One of four words says the label, at any place among words that say nothing."""
    random, texts, labels = _random(3), [], []
    for _ in range(rows):
        label = int(random.integers(2))
        words = random.choice(["the", "a", "of", "film", "seen", "we"], 7).tolist()
        words[int(random.integers(7))] = str(random.choice([["dull", "poor"], ["fine", "bright"]][label]))
        texts.append(" ".join(words))
        labels.append(["bad", "good"][label])
    return {"text": texts, "label": labels}


def _chain(rows: int) -> dict[str, Any]:
    """A letter depends on the one before it."""
    random = _random(4)
    steps = random.dirichlet(np.full(6, 0.3), 6)
    texts = []
    for _ in range(rows):
        letters = [int(random.integers(6))]
        for _ in range(39):
            letters.append(int(random.choice(6, p=steps[letters[-1]])))
        texts.append("".join("abcdef"[letter] for letter in letters))
    return {"text": texts}


def _by_chance(rows: int) -> dict[str, Any]:
    random = _random(5)
    texts = [" ".join(random.choice(["red", "blue", "up", "down"], 5)) for _ in range(rows)]
    return {"text": texts, "label": random.choice(["a", "b", "c"], rows, p=[0.7, 0.2, 0.1]).tolist()}


def _near(rows: int) -> dict[str, Any]:
    """Series of few shapes, which repeat but for a little noise."""
    random = _random(6)
    shapes = random.normal(size=(6, 24)).cumsum(1)
    which = random.integers(6, size=rows)
    series = [(shapes[n] + 0.05 * random.normal(size=24)).round(3).tolist() for n in which]
    return {"series": series, "kind": [f"k{n % 3}" for n in which]}


def _tags(rows: int) -> dict[str, Any]:
    random = _random(7)
    kinds = {"cat": "noun", "dog": "noun", "runs": "verb", "sits": "verb", "red": "other", "a": "other"}
    words = [random.choice(list(kinds), random.integers(4, 9)).tolist() for _ in range(rows)]
    return {"words": words, "tags": [[kinds[word] for word in row] for row in words]}


def _keys(rows: int) -> dict[str, Any]:
    """Chords that are held for some steps."""
    random, rolls = _random(8), []
    for _ in range(rows):
        chords = (random.random((6, 5)) < 0.4).astype(int)
        rolls.append(np.repeat(chords, random.integers(3, 7, 6), axis=0).tolist())
    return {"keys": rolls}


def _items(rows: int) -> dict[str, Any]:
    """Each item is followed by the next of a ring, mostly."""
    random, lists = _random(9), []
    for _ in range(rows):
        at, seen = int(random.integers(12)), []
        for _ in range(8):
            seen.append(f"i{at}")
            at = (at + 1) % 12 if random.random() < 0.9 else int(random.integers(12))
        lists.append(seen)
    return {"item": lists}


def _plain(rows: int) -> dict[str, Any]:
    random = _random(10)
    table = random.normal(size=(rows, 3)).round(3)
    return {**dict(zip("abc", table.T.tolist(), strict=True)), "y": (table @ [2.0, -1.0, 0.5] + 3).round(3).tolist()}


def _shouted(rows: int) -> dict[str, Any]:
    random = _random(11)
    texts = ["".join(random.choice(list("abc"), random.integers(2, 6))) for _ in range(rows)]
    return {"text": texts, "loud": [text.upper() for text in texts]}


def _sounds(rows: int) -> dict[str, Any]:
    random, frames, texts = _random(12), [], []
    for _ in range(rows):
        text = random.choice(list("ab"), random.integers(2, 4)).tolist()
        texts.append("".join(text))
        frames.append([[float(letter == "a"), float(step == 0)] for letter in text for step in range(3)])
    return {"frames": frames, "said": texts}


CASES = {
    "forecast: a pure season": Case({"load": _season(180)}, {"horizon": 6}),
    "forecast: a random walk": Case({"load": _walk(180)}, {"horizon": 4}),
    "forecast: a constant": Case({"load": [3.0] * 120}, {"horizon": 4}),
    "forecast: noise about a mean": Case({"load": _random(13).normal(size=180).round(3).tolist()}, {"horizon": 4}),
    "classify: a bag of words": Case(_bags(120), {"target": "label"}),
    "classify: labels by chance": Case(_by_chance(120), {"target": "label"}),
    "classify: the nearest series": Case(_near(90), {"target": "kind"}),
    "next step: a chain of letters": Case(_chain(40), {"tokens": "characters"}),
    "next step: held chords": Case(_keys(24)),
    "next step: a walk": Case({"load": [_walk(180)]}, {"task": "next_step"}),
    "next step: items that follow each other": Case(_items(120), {"kinds": {"item": "tokens"}}),
    "tag: the word alone": Case(_tags(60), {"target": "tags"}),
    "regress: a linear rule of plain rows": Case(_plain(120), {"target": "y"}),
    "classify: a linear rule of plain rows": Case(
        {**(rows := _plain(120)), "y": [value > 3 for value in rows["y"]]}, {"target": "y"}
    ),
    "fill: letters": Case(_chain(30), {"task": "fill", "tokens": "characters"}),
    "translate: letters in capitals": Case(
        _shouted(60),
        {"target": "loud", "task": "translate", "tokens": "characters"},
    ),
    "transcribe: two sounds": Case(_sounds(40), {"target": "said", "task": "transcribe"}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_baseline_is_better(case: Case, tmp_path: Path) -> None:
    model = api.fit(case.data, out=tmp_path / "run", steps=STEPS, device="cpu", quiet=True, **case.options)
    measure = model.task.chooses
    ours = cost(measure, model.metrics["valid"][measure])
    others = {name: row[measure] for name, row in model.baselines["valid"].items() if measure in row}
    better = {name: value for name, value in others.items() if cost(measure, value) < ours - 1e-6}
    assert not better, f"{measure} {model.metrics['valid'][measure]}, but {better}"


def test_every_task_has_a_case() -> None:
    assert {name.split(":")[0].replace(" ", "_") for name in CASES} == set(TASKS.names())
