"""The share of another model, on outputs whose best mixture is known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from samples import Sample, sequences
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.planning import blend
from unrolled.planning.blend import Mixed, Reference, weigh
from unrolled.training.config import TrainingConfig

ROWS = 240


class Made(nn.Module):
    """A model whose outputs are made from the batch."""

    causal = True

    def __init__(self, answer: Callable[[Batch], Any]) -> None:
        super().__init__()
        self.answer = answer

    def run(self, batch: Batch, state: None = None) -> tuple[Any, None]:
        return self.answer(batch), None

    def initial_state(self, batch: int) -> None:
        return None


def weighed(sample: Sample, first: Callable[[Batch], Any], second: Callable[[Batch], Any]) -> Mixed | None:
    task = sample.ask()
    models: list[Any] = [Made(first), Made(second)]
    return weigh(Reference(models[0], task, sample.examples(task), TrainingConfig(batch=8), "cpu"), models[1])


def numbers() -> Sample:
    columns = {"x": [float(n) for n in range(ROWS)], "y": np.random.default_rng(0).normal(size=ROWS)}
    return Sample("regress", sequences(columns, {"x": "number", "y": "number"}), ("y",))


def labels(zeros: int) -> Sample:
    """Of every ten rows, ``zeros`` have the label "a"."""
    rows = 10 * ROWS  # enough to be sure of a small gain
    shuffled = np.random.default_rng(1).permutation(rows) % 10
    columns = {"x": [float(n) for n in range(rows)], "label": np.where(shuffled < zeros, "a", "b").tolist()}
    return Sample("classify", sequences(columns, {"x": "number", "label": "category"}), ("label",))


def away(share: float) -> Callable[[Batch], Tensor]:
    """The right numbers, and an error of ``share`` times a number that alternates from row to row."""

    def answer(batch: Batch) -> Tensor:
        assert batch.target is not None
        right = batch.target.float().view(len(batch.rows), -1)
        return right + share * (batch.rows.float() % 3 - 1)[:, None]

    return answer


def certain(first: float) -> Callable[[Batch], Tensor]:
    """The same chances for every row."""
    return lambda batch: torch.tensor([first, 1 - first]).log().repeat(len(batch.rows), 1)


def test_errors_that_cancel_are_mixed_until_none_is_left() -> None:
    """The errors are 3 e and -7 e: of (1 - w) 3 e - w 7 e nothing is left at w = 0.3."""
    mixed = weighed(numbers(), away(0.3), away(-0.7))
    assert mixed is not None
    assert mixed.share == pytest.approx(0.3)
    assert mixed.value == pytest.approx(0, abs=1e-10) and mixed.before > 0 and mixed.alone > mixed.before
    assert mixed.helps and mixed.error > 0


def test_a_worse_model_with_the_same_errors_has_no_share() -> None:
    mixed = weighed(numbers(), away(0.3), away(0.6))
    assert mixed is not None
    assert (mixed.share, mixed.helps) == (0, False)
    assert mixed.value == mixed.before


def test_a_better_model_has_the_whole_share() -> None:
    mixed = weighed(numbers(), away(0.6), away(0.3))
    assert mixed is not None
    assert (mixed.share, mixed.helps) == (1, True)
    assert mixed.value == mixed.alone < mixed.before


def test_chances_are_mixed_until_they_are_those_of_the_labels() -> None:
    """0.9 (1 - w) + 0.4 w is 0.7, the share of "a", at w = 0.4; all of these mixtures label the rows alike."""
    mixed = weighed(labels(7), certain(0.9), certain(0.4))
    assert mixed is not None
    assert (mixed.measure, mixed.share) == ("macro_f1", pytest.approx(0.4))
    assert mixed.helps and mixed.value == mixed.before  # its loss is lower


def test_outputs_that_are_not_numbers_are_not_mixed() -> None:
    assert weighed(numbers(), lambda _: object(), away(0.3)) is None


def test_a_mixture_is_said_with_its_error() -> None:
    mixed = Mixed("accuracy", 0.3, 0.75, 0.5, 0.6, True, 0.125)
    assert mixed.say() == "accuracy 0.75 ± 0.12, 0.5 without it"


def test_with_many_outputs_fewer_steps_are_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """240 rows with one output: 60 numbers are those of every fourth row."""
    monkeypatch.setattr(blend, "_FEWEST", 10)
    monkeypatch.setattr(blend, "_SCORES", ROWS // 4)
    seen: list[int] = []

    def counted(batch: Batch) -> Tensor:
        seen.extend(batch.rows.tolist())
        return away(0.3)(batch)

    assert weighed(numbers(), counted, away(-0.7)) is not None
    assert len(seen) == ROWS // 4


def test_the_largest_share_that_gains() -> None:
    """Errors of 1 and -1.5: best is a share of 0.4, and up to 0.8 the mixture is better than the first."""
    sample = numbers()
    task = sample.ask()
    models: list[Any] = [Made(away(1)), Made(away(-1.5))]
    known = Reference(models[0], task, sample.examples(task), TrainingConfig(batch=8), "cpu")
    best, most = weigh(known, models[1]), weigh(known, models[1], most=True)
    assert best is not None and most is not None
    assert (best.share, most.share) == (0.4, 0.7)
    none = weigh(known, Made(away(2)), most=True)  # type: ignore[arg-type]
    assert none is not None and none.share == 0
