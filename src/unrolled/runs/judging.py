"""Judging a trained model on one split: its metrics, those of the baselines, and how sure the difference is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from unrolled.baselines.baseline import Judge, score_baselines
from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import Groups, grouped
from unrolled.metrics._bootstrap import redrawn, standard_error
from unrolled.metrics._tally import Tally
from unrolled.metrics.metric import Sums
from unrolled.metrics.scoring import added, reporting
from unrolled.models.model import Model
from unrolled.runs.advice import Held
from unrolled.runs.rivals import Rivals
from unrolled.runs.verdict import Verdict, compare, rival_of
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import sums_over

__all__ = ["Judged", "judge_split"]

_LEAST = 3  # groups of which a standard error can be taken


@dataclass(frozen=True, slots=True)
class Judged:
    """A model on one split.

    Attributes:
        baselines: name -> the measures that the model has too.
        verdict: how the model compares with the best; ``None`` if there is nothing to compare.
        held: what was seen of the split.
    """

    baselines: dict[str, dict[str, float]]
    verdict: Verdict | None
    held: Held


def judge_split(
    network: Model,
    task: Task,
    part: Examples,
    metrics: dict[str, float],
    rivals: Rivals,
    split: str,
    config: TrainingConfig,
    device: str,
) -> Judged:
    """Set a model beside its baselines on ``part``.

    The standard error of the difference is that of a bootstrap over at most 40 groups of sequences, or of stretches of
    steps where there are few sequences; the model and the best baseline are compared on the same groups.

    Args:
        network, task: the model.
        part: the split.
        metrics: the model's metrics on it.
        rivals: the baselines, and the solved models.
        split: the name of the split.
        config: gives the batch size and the options of the metrics.
        device: the device of the network.

    Cost: that of evaluating the model and one baseline on at most 100 000 steps of the split.
    """
    found = rivals.on_valid if split == "valid" else score_baselines(rivals.fitted, part, config.own)
    baselines = {name: {key: v for key, v in row.items() if key in metrics} for name, row in found.items()}
    rival, groups = rival_of(metrics, baselines, task.chooses), grouped(part)
    tally = Tally(len(task.labels)) if task.labels else None
    error = None
    if rival is not None or tally is not None:
        ours = [sums_over(network, task, group, config, device, _counting(task, tally)) for group in groups.parts]
        if rival is not None and len(groups.parts) >= _LEAST:
            error = _error(rival[0], ours, rivals.fitted[rival[1]], groups, config)
    surer = tally.overconfidence() if tally is not None else None
    verdict = compare(metrics, baselines, task.chooses, task.watch, error, surer)
    counted = tally if tally is not None and tally.support.any() else None
    return Judged(baselines, verdict, Held(groups.cases, groups.what(part), metrics, task.labels, counted))


def _counting(task: Task, tally: Tally | None) -> Any:
    def count(outputs: Any, batch: Batch) -> None:
        labelled = task.labelled(outputs, batch)
        if labelled is not None and tally is not None:
            tally.add(labelled.chosen, labelled.right, labelled.chances)

    return None if tally is None else count


def _error(measure: str, ours: list[Sums], baseline: Judge, groups: Groups, config: TrainingConfig) -> float | None:
    theirs, metrics = [], reporting(config.own, (measure,))
    for part in groups.parts:
        total: Sums = {}
        for answers in baseline.judge(part):
            total = added(total, answers, metrics)
        theirs.append(total)
    error = standard_error(measure, redrawn(ours, metrics), redrawn(theirs, metrics))
    return None if math.isnan(error) else error * math.sqrt(groups.share)
