"""A good task and a good baseline pass, and each kind of fault is found and said."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import pytest
import torch
from samples import ours

from unrolled import registry
from unrolled.data.examples.examples import Examples
from unrolled.errors import UsageError
from unrolled.metrics.judged import Answers, Values
from unrolled.tasks.regress import Regress
from unrolled.tasks.task import TASKS
from unrolled.testing import check_member
from unrolled.testing.report import Broken

DATA = {"wave": [[0.5 * t + n for t in range(n + 2)] for n in range(8)], "size": [float(n) for n in range(8)]}
EXAMPLE: tuple[Any, dict[str, Any]] = (DATA, {"target": "size", "model": "gru"})


@pytest.fixture(autouse=True)
def nothing_stays_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


class Own(Regress):
    """A copy of regress; its variants below are wrong in one way each."""

    name: ClassVar[str] = "own"


class SeesTheBatch(Own):
    def answers(self, outputs: Any, batch: Any) -> dict[str, list[Any]]:
        return super().answers(outputs - outputs.mean(), batch)


class Answerless(Own):
    def answers(self, outputs: Any, batch: Any) -> dict[str, list[Any]]:
        return {}


class Random(Own):
    drawn: ClassVar[Any] = itertools.count()

    def answers(self, outputs: Any, batch: Any) -> dict[str, list[Any]]:
        return {"drawn": [next(self.drawn) for _ in batch.rows.tolist()]}


class Infinite(Own):
    def judge(self, outputs: torch.Tensor, batch: Any) -> Answers:
        return super().judge(outputs / 0, batch)


class Blind(Own):
    def judge(self, outputs: torch.Tensor, batch: Any) -> Answers:
        return ()


def test_a_good_task_passes() -> None:
    registry.register("task", "own", Own)
    assert check_member("task.own", example=EXAMPLE).broken == ()


@pytest.mark.parametrize(
    ("task", "contract", "fault"),
    [
        (SeesTheBatch, "C3: a row's answer", r"row 1 has size_predicted = \S+ alone, but \S+ with others"),
        (Answerless, "Predict returns one answer for each row", "predict adds no column to wave, size"),
        (Random, "C8: the saved and loaded run", "the loaded model gives other answers"),
        (Infinite, "It trains on the example", "metrics are not finite: mse_scaled = inf"),
        (Blind, "It trains on the example", "holds nothing that could be scored"),
    ],
)
def test_a_fault_of_a_task_is_found(task: Any, contract: str, fault: str) -> None:
    registry.register("task", "own", task)
    with pytest.raises(Broken, match=rf"BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member("task.own", example=EXAMPLE)


def test_a_task_is_checked_by_its_name_and_an_example() -> None:
    with pytest.raises(UsageError, match="a task is checked with a run: register it, and pass its name"):
        check_member(Own, "task", example=EXAMPLE)
    with pytest.raises(UsageError, match=r"checked with a small run: pass example=\(columns, options of fit\)"):
        check_member("task.regress")


class Mean:
    """The mean of training, a good baseline; its variants below are wrong in one way each."""

    name: ClassVar[str] = "typical"

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    @staticmethod
    def applies(examples: Examples) -> bool:
        return True

    @classmethod
    def fit(cls, train: Examples) -> Self:
        assert train.target is not None
        return cls(train.target.values.mean(0))

    def judge(self, part: Examples) -> Iterable[Answers]:
        assert part.target is not None
        return [
            (
                Values(
                    torch.full((len(part.target.values),), float(self.values[0])),
                    torch.tensor(part.target.values[:, 0]),
                    1.0,
                ),
            )
        ]


class Never(Mean):
    @staticmethod
    def applies(examples: Examples) -> bool:
        return False


class NotANumber(Mean):
    @classmethod
    def fit(cls, train: Examples) -> Self:
        return cls(np.array([np.nan]))


class Drawn(Mean):
    draws: ClassVar[Any] = itertools.count()

    @classmethod
    def fit(cls, train: Examples) -> Self:
        return cls(np.array([float(next(cls.draws))]))


class Silent(Mean):
    def judge(self, part: Examples) -> Iterable[Answers]:
        return []


def test_a_good_baseline_passes() -> None:
    assert check_member(Mean, "baseline", example=EXAMPLE).broken == ()


@pytest.mark.parametrize(
    ("baseline", "contract", "fault"),
    [
        (Never, "It has a name for tables", "applies gives False for the example, expected True"),
        (NotANumber, "Its answers have metrics", "its metrics are mse_scaled = nan"),
        (Silent, "Its answers have metrics", "its metrics are none"),
        (Drawn, "C9: the same split", "its metrics were .*, but are now"),
    ],
)
def test_a_fault_of_a_baseline_is_found(baseline: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(baseline, "baseline", example=EXAMPLE)


TEXT = {"text": ["aba", "bb", "ab", "bab", "a", "b", "ba", "ab"]}
UPPER = [text.upper() for text in TEXT["text"]]
LETTERS: dict[str, Any] = {"kinds": {"text": "tokens"}, "tokens": "characters", "model": "gru"}
EXAMPLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "classify": ({**TEXT, "label": list("xyxyxyxy")}, {"target": "label", **LETTERS}),
    "fill": (TEXT, LETTERS),
    "forecast": ({"wave": [[0.1 * t + n for t in range(12)] for n in range(8)]}, {"horizon": 2, "lookback": 4, "valid": 0}),
    "next_step": (TEXT, LETTERS),
    "regress": EXAMPLE,
    "tag": ({"letters": [list(text) for text in TEXT["text"]], "tags": [[c == "a" for c in text] for text in TEXT["text"]]}, {"target": "tags", "model": "gru"}),
    "transcribe": ({"wave": [[0.5] * (3 * len(text)) for text in TEXT["text"]], **TEXT}, {"target": "text", "model": "gru"}),
    "translate": ({**TEXT, "upper": UPPER}, {"target": "upper", **LETTERS, "kinds": {"text": "tokens", "upper": "tokens"}}),
}  # fmt: skip


@pytest.mark.parametrize("task", TASKS.names())
def test_every_task_is_held_to_the_same(task: str) -> None:
    if task in ours("task"):
        check_member(f"task.{task}", example=EXAMPLES[task])
