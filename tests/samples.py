"""Small data for every kind of question, and the task that answers it. Tests and contracts share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from configs import model_config, task_options

from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import Origin
from unrolled.models.build import build_model
from unrolled.models.model import Model
from unrolled.registry import Registry
from unrolled.tasks.task import TASKS, Question, Task
from unrolled.training.config import TrainingConfig

__all__ = ["SAMPLES", "Sample", "network_for", "ours", "rows_of", "sequences", "training"]


def sequences(columns: dict[str, Any], kinds: dict[str, str], origin: str = "sample.csv") -> Sequences:
    """A table whose kinds are given, not inferred."""
    return Sequences(pa.table(columns), kinds, Origin(origin))


@dataclass(frozen=True)
class Sample:
    """A question with its data: ten rows or so, of which some are of length 1."""

    task: str
    data: Sequences
    target: tuple[str, ...] = ()
    inferred: str = ""  # the task that is recognised, where this one must be asked for by name
    preparation: Preparation = field(default_factory=Preparation)
    options: Mapping[str, Any] = field(default_factory=dict)  # the task's own

    def question(self, data: Sequences | None = None) -> Question:
        return Question(self.data if data is None else data, self.target, (), self.options)

    def ask(self, train: Sequences | None = None) -> Task:
        """The task, its encodings fitted on ``train`` (default: all rows)."""
        member = TASKS.get(self.task)
        roles = member.roles(self.question())
        coder = Preprocessor.fit(self.data if train is None else train, roles, self.preparation)
        return member(task_options(self.task, **self.options), coder)

    def examples(self, task: Task, data: Sequences | None = None) -> Examples:
        return task.coder.encode(self.data if data is None else data)


def network_for(task: Task, model: str, hidden: int = 5, layers: int = 1, dropout: float = 0.0) -> Model:
    """A model for ``task``, from whatever the global random state is."""
    config = model_config(name=model, hidden=hidden, layers=layers, dropout=dropout, window=3)
    written = task.coder.target if task.coder.form.writes else None
    chosen = task.coder.target if task.coder.first_item is not None else None
    return build_model(
        task.coder.specs,
        config,
        task.outputs,
        pooled=task.pooled,
        pool=task.pool,
        crf=task.chain,
        written=written,
        chosen=chosen,
    )


def training(options: dict[str, Any]) -> TrainingConfig:
    """A budget and a seed; what is not given is small."""
    return TrainingConfig(**{"steps": 6, "batch": 4, "lr": 0.01, "seed": 3, "device": "cpu", **options})


_random = np.random.default_rng(0)
_LENGTHS = [1, 4, 7, 2, 9, 5, 3, 8, 6, 1]
_TEXTS = ["".join(_random.choice(list("abc"), n)) for n in _LENGTHS]
_WAVES = [np.sin(0.7 * np.arange(n + 6) + n).round(3).tolist() for n in _LENGTHS]
_OTHER = [(np.arange(n + 6) % 3 * 2.0).tolist() for n in _LENGTHS]
_GAPS = [[None if (3 * t + n) % 5 == 0 else v for t, v in enumerate(wave)] for n, wave in enumerate(_WAVES)]
_KEYS = [_random.integers(0, 2, (n + 1, 3)).tolist() for n in _LENGTHS]
_SYMBOLS = [list(text) for text in _TEXTS]


def _names(text: str) -> list[str]:
    """IOB2 tags: each run of ``b`` is a name."""
    return ["O" if s != "b" else "I-b" if text[:t].endswith("b") else "B-b" for t, s in enumerate(text)]


SAMPLES: dict[str, Sample] = {
    "classify": Sample(
        "classify",
        sequences(
            {"text": _TEXTS, "label": ["yes" if "a" in text else "no" for text in _TEXTS], "age": range(10)},
            {"text": "tokens", "label": "category", "age": "number"},
        ),
        ("label",),
    ),
    "classify several": Sample(
        "classify",
        sequences(
            {"text": _TEXTS, "labels": [sorted(set(text)) for text in _TEXTS]},
            {"text": "tokens", "labels": "category"},
        ),
        ("labels",),
    ),
    "classify a plain row": Sample(
        "classify",
        sequences(
            {"age": [float(n) for n in range(10)], "city": list("uvwuvwuvwu"), "passed": [n > 4 for n in range(10)]},
            {"age": "number", "city": "category", "passed": "category"},
        ),
        ("passed",),
    ),
    "classify several texts": Sample(
        "classify",
        sequences(
            {
                "title": [text[:2] for text in _TEXTS],
                "body": _TEXTS,
                "wave": _WAVES,
                "marks": [sorted(set(text)) for text in _TEXTS],
                "age": range(10),
                "label": ["yes" if "a" in text else "no" for text in _TEXTS],
            },
            {
                "title": "tokens",
                "body": "tokens",
                "wave": "number",
                "marks": "category",
                "age": "number",
                "label": "category",
            },
        ),
        ("label",),
    ),
    "regress": Sample(
        "regress",
        sequences(
            {"wave": _WAVES, "size": [float(sum(wave)) for wave in _WAVES]}, {"wave": "number", "size": "number"}
        ),
        ("size",),
    ),
    "tag": Sample(
        "tag",
        sequences(
            {"letters": _SYMBOLS, "tags": [["vowel" if s == "a" else "other" for s in row] for row in _SYMBOLS]},
            {"letters": "tokens", "tags": "category"},
        ),
        ("tags",),
    ),
    "tag with a text": Sample(
        "tag",
        sequences(
            {
                "about": ["vowels", "all"] * 5,
                "letters": _SYMBOLS,
                "tags": [["vowel" if s == "a" else "other" for s in row] for row in _SYMBOLS],
            },
            {"about": "tokens", "letters": "tokens", "tags": "category"},
        ),
        ("tags",),
    ),
    "tag together": Sample(
        "tag",
        sequences(
            {"letters": _SYMBOLS, "tags": [_names(text) for text in _TEXTS]},
            {"letters": "tokens", "tags": "category"},
        ),
        ("tags",),
        options={"crf": True},
    ),
    "transcribe": Sample(
        "transcribe",
        sequences(
            {"wave": [np.repeat(wave, 2).tolist() for wave in _WAVES], "text": _TEXTS},
            {"wave": "number", "text": "tokens"},
        ),
        ("text",),
    ),
    "next_step": Sample("next_step", sequences({"text": _TEXTS}, {"text": "tokens"})),
    "next_step symbols": Sample("next_step", sequences({"dna": [text.upper() for text in _TEXTS]}, {"dna": "symbols"})),
    "next_step several": Sample("next_step", sequences({"keys": _KEYS}, {"keys": "series"})),
    "next_step real": Sample("next_step", sequences({"wave": _WAVES}, {"wave": "number"})),
    "fill": Sample("fill", sequences({"text": _TEXTS}, {"text": "tokens"}), inferred="next_step"),
    "forecast": Sample(
        "forecast",
        sequences({"wave": _WAVES, "other": _OTHER}, {"wave": "number", "other": "number"}),
        ("wave",),
        options={"horizon": 3},
    ),
    "forecast quantiles": Sample(
        "forecast",
        sequences({"wave": _WAVES, "other": _OTHER}, {"wave": "number", "other": "number"}),
        options={"horizon": 2, "quantiles": (0.9, 0.1, 0.5)},
    ),
    "forecast gaussian": Sample(
        "forecast",
        sequences({"wave": _WAVES, "other": _OTHER}, {"wave": "number", "other": "number"}),
        options={"horizon": 2, "distribution": "gaussian"},
    ),
    "forecast ahead": Sample(
        "forecast",
        sequences(
            {"wave": _GAPS, "other": _OTHER, "place": list("uvwuvwuvwu")},
            {"wave": "number", "other": "number", "place": "category"},
        ),
        ("wave",),
        options={"horizon": 3, "known_ahead": ("other",)},
    ),
    "forecast with a list": Sample(
        "forecast",
        sequences(
            {"wave": _WAVES, "marks": [[n, n] if n % 2 else [n] for n in range(10)]},
            {"wave": "number", "marks": "category"},
        ),
        ("wave",),
        options={"horizon": 3},
    ),
    "translate two texts": Sample(
        "translate",
        sequences(
            {"text": _TEXTS, "how": ["upper"] * 10, "upper": [text.upper() for text in _TEXTS]},
            dict.fromkeys(("text", "how", "upper"), "tokens"),
        ),
        ("upper",),
    ),
    "translate": Sample(
        "translate",
        sequences({"text": _TEXTS, "upper": [text.upper() for text in _TEXTS]}, {"text": "tokens", "upper": "tokens"}),
        ("upper",),
    ),
}


def ours(kind: str) -> set[str]:
    """The members of a kind that this package has; those of other packages need no sample here."""
    registry = Registry(kind)
    return {name for name in registry.names() if registry.package_of(name) is None}


def rows_of(sample: Sample, rows: list[int]) -> Sequences:
    """Some of its rows."""
    return sample.data.take(np.array(rows, np.int64))
