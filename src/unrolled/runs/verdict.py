"""The verdict on a model: better than the best baseline, as good, or worse, in the measure that chose its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from unrolled.metrics.metric import best_first, cost, in_order, measure

__all__ = ["Outcome", "Verdict", "compare", "rival_of"]

Outcome = Literal["better", "as good", "worse"]

_SURE = 2.0  # standard errors: one difference in twenty is as large by chance
_UNSURE = 0.01  # confidence and accuracy that are nearer are alike
_NATS, _SHARE = 0.05, 0.1  # losses that are nearer, in nats and relatively, are alike
_EQUAL = 1e-9  # a smaller relative difference is rounding


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a model compares with the best baseline on one split.

    Attributes:
        measure: the measure that chose the weights or, if no baseline has it, the first that one has.
        value: the model's value.
        rival, best: the best baseline and its value.
        error: the standard error of the difference, over groups of sequences; ``None`` where there are too few.
        loss: the name of the loss, if it is another measure; else empty.
        own_loss, best_loss: the model's loss, and that of the baseline with the lowest.
        surer: the model's mean confidence minus its accuracy; ``None`` if its answers are not labels.
    """

    measure: str
    value: float
    rival: str
    best: float
    error: float | None = None
    loss: str = ""
    own_loss: float | None = None
    best_loss: float | None = None
    surer: float | None = None

    @property
    def outcome(self) -> Outcome:
        """Better or worse if the difference is above two standard errors; a tie is as good."""
        gain = cost(self.measure, self.best) - cost(self.measure, self.value)
        if math.isnan(gain):
            return "worse"
        least = max(_SURE * (self.error or 0.0), _EQUAL * max(abs(self.best), abs(self.value)))
        return "as good" if abs(gain) <= least else "better" if gain > 0 else "worse"

    @property
    def perfect(self) -> bool:
        """Whether every answer is right, so that nothing is left to gain in the measure."""
        declared = measure(self.measure)
        return declared is not None and declared.unit == "share" and declared.better == "higher" and self.value >= 1

    def sentences(self) -> list[str]:
        """The verdict in words, and a second sentence where probabilities are worse than labels.

        Example:
            >>> print(*Verdict("accuracy", 0.9, "majority", 0.6, 0.05).sentences())
            The model is better than the best baseline, 'majority': accuracy 0.9 against 0.6 (difference 0.3 ± 0.05).
        """
        numbers = f"{self.measure} {self.value:.4g} against {self.best:.4g}"
        if self.error:
            numbers += f" (difference {abs(self.value - self.best):.2g} ± {self.error:.1g})"
        how = {"better": "better than", "as good": "as good as", "worse": "worse than"}[self.outcome]
        found = [f"The model is {how} the best baseline, {self.rival!r}: {numbers}."]
        if self._worse_probabilities():
            answers = "answers" if self.surer is None else "labels"
            good = "better" if self.outcome == "better" else "as good"
            surer = self.surer or 0.0
            how = "over-confident" if surer > _UNSURE else "under-confident" if surer < -_UNSURE else "worse"
            found.append(
                f"Its {answers} are {good}, but its probabilities are {how}: "
                f"{self.loss} {self.own_loss:.4g} against {self.best_loss:.4g}."
            )
        return found

    def _worse_probabilities(self) -> bool:
        if self.outcome == "worse" or self.own_loss is None or self.best_loss is None:
            return False
        return self.own_loss - self.best_loss > max(_NATS, _SHARE * abs(self.best_loss))


def rival_of(
    metrics: Mapping[str, float], baselines: Mapping[str, dict[str, float]], chooses: str
) -> tuple[str, str] | None:
    """The measure to judge by, and the baseline that is best in it; ``None`` if the two have no measure in common.

    Example:
        >>> rows = {"majority": {"accuracy": 0.5}, "linear": {"accuracy": 0.7}}
        >>> rival_of({"accuracy": 0.9, "macro_f1": 0.8}, rows, "macro_f1")
        ('accuracy', 'linear')
    """
    for name in (chooses, *in_order(metrics)):
        able = _able(name, baselines)
        if name in metrics and able:
            return name, next(iter(best_first(able, name)))
    return None


def compare(
    metrics: Mapping[str, float],
    baselines: Mapping[str, dict[str, float]],
    chooses: str,
    watch: str,
    error: float | None = None,
    surer: float | None = None,
) -> Verdict | None:
    """The verdict on a model, from its metrics and those of its baselines; ``None`` if they have none in common.

    Args:
        metrics, baselines: of one split.
        chooses: the measure that chose the weights.
        watch: the name of the loss.
        error, surer: see `Verdict`.
    """
    found = rival_of(metrics, baselines, chooses)
    if found is None:
        return None
    chosen, rival = found
    verdict = Verdict(chosen, metrics[chosen], rival, baselines[rival][chosen], error, surer=surer)
    able = _able(watch, baselines)
    if watch == chosen or watch not in metrics or not able:
        return verdict
    return replace(verdict, loss=watch, own_loss=metrics[watch], best_loss=min(row[watch] for row in able.values()))


def _able(name: str, baselines: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The baselines whose value can be compared."""
    return {rival: row for rival, row in baselines.items() if not math.isnan(cost(name, row.get(name, math.nan)))}
