"""A good metric passes, and each kind of fault is found and said."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

from unrolled.errors import UsageError
from unrolled.metrics.judged import ChosenLabels
from unrolled.metrics.metric import Measure, Sums
from unrolled.testing import check_member
from unrolled.testing.report import Broken


class Right:
    """The share of right labels; its variants below are wrong in one way each."""

    judges: ClassVar[tuple[type, ...]] = (ChosenLabels,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("right", "share", "higher"),)

    def sums(self, judged: ChosenLabels) -> Sums:
        right = judged.chosen == judged.right
        return {"right": right.sum(), "count": torch.tensor(len(right))}

    def values(self, sums: Sums) -> dict[str, float]:
        return {"right": float(sums["right"] / sums["count"])} if sums["count"] else {}


class OfBatches(Right):
    def sums(self, judged: ChosenLabels) -> Sums:
        right = (judged.chosen == judged.right).float()
        return {"right": right.mean() if len(right) else torch.tensor(0.0), "count": torch.tensor(int(len(right) > 0))}


class OfNothing(Right):
    def values(self, sums: Sums) -> dict[str, float]:
        return {"right": float(sums["right"] / sums["count"])}


class Undeclared(Right):
    measures: ClassVar[tuple[Measure, ...]] = (Measure("wrong", "share", "lower"),)


class Whole(Right):
    def values(self, sums: Sums) -> Any:
        return {"right": int(sums["right"])} if sums["count"] else {}


class WithoutUnit(Right):
    measures: ClassVar[tuple[Measure, ...]] = (Measure("right", "", "higher"),)


class Backward(Right):
    measures: ClassVar[tuple[Measure, ...]] = (Measure("right", "share", "lower"),)


def test_a_good_metric_passes() -> None:
    assert check_member(Right, "metric").broken == ()


@pytest.mark.parametrize(
    ("metric", "contract", "fault"),
    [
        (OfBatches, "The sums over batches", r"over batches the values are .*, over all answers \{'right': "),
        (OfNothing, "Without answers", r"without answers the values are \{'right': nan\}, expected none"),
        (Undeclared, "Every value is a float with a declared name", "'right' is not among its measures"),
        (Whole, "Every value is a float", r"right is \d+, expected a float"),
        (WithoutUnit, "Every value is a float", "the measure 'right' has the unit ''"),
        (Backward, "Perfect answers", r"perfect answers have right = 1, random ones 0\.\d+"),
    ],
)
def test_a_fault_of_a_metric_is_found(metric: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"BROKEN  {contract}[^\n]*\[ChosenLabels\]\n[^\n]*{fault}"):
        check_member(metric, "metric")


def test_a_metric_of_other_answers_has_no_samples() -> None:
    class OfSomething(Right):
        judges: ClassVar[tuple[type, ...]] = (str,)

    with pytest.raises(UsageError, match=r"scores none of the answers in unrolled\.metrics\.judged"):
        check_member(OfSomething, "metric")
