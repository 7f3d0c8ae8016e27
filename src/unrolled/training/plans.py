"""Which plan a split is trained and judged by: the form of the target decides, the user's options add to it."""

from __future__ import annotations

from unrolled.batch import Continuous
from unrolled.config import TaskConfig, TrainingConfig
from unrolled.data.examples import Examples
from unrolled.data.forms.base import BatchSettings
from unrolled.data.segments import Transform
from unrolled.data.spec_augment import SpecAugment
from unrolled.data.transposition import Transposition
from unrolled.data.windows import Plan, Transformed
from unrolled.errors import UsageError

__all__ = ["batch_settings", "can_be_judged", "evaluation_plan", "lookback", "training_plan", "window"]


def lookback(config: TaskConfig) -> int:
    """The steps of history that a forecast sees: what was asked, or three horizons and at least 64."""
    return config.lookback or max(64, 3 * (config.horizon or 1))


def batch_settings(task: TaskConfig, config: TrainingConfig) -> BatchSettings:
    """What a run's configuration says about batches."""
    return BatchSettings(config.batch, config.seed, config.bptt, lookback(task), task.mask)


def window(examples: Examples, config: TrainingConfig) -> int | None:
    """k1 of truncated BPTT, or ``None`` where whole sequences are trained at once."""
    return examples.form.plans.window(examples, config.bptt)


def training_plan(examples: Examples, task: TaskConfig, config: TrainingConfig, epoch: int) -> Plan:
    """The batches of one epoch, a pure function of (seed, epoch).

    Raises:
        UsageError: parts of frames are to be hidden, and no input has numbers for each step; or pieces are to be
            transposed, and no input has keys.
    """
    plan = examples.form.plans.training(examples, batch_settings(task, config), epoch)
    transforms: list[Transform] = []
    if config.transpose:
        if not examples.keys:
            raise UsageError("--transpose is for piano rolls of 88 keys and events of notes, and no input is one")
        transforms.append(Transposition(examples, config.transpose, config.seed, epoch))
    if config.spec_augment:
        if not any(isinstance(spec, Continuous) and spec.time for spec in examples.specs.values()):
            raise UsageError(
                "--spec-augment hides parts of frames, and no input has numbers for each step: leave it out"
            )
        transforms.append(SpecAugment(config.seed, epoch))
    return Transformed(plan, tuple(transforms)) if transforms else plan


def can_be_judged(examples: Examples, task: TaskConfig, config: TrainingConfig) -> bool:
    """True if at least one question is asked of the split."""
    return len(evaluation_plan(examples, task, config)) > 0


def evaluation_plan(examples: Examples, task: TaskConfig, config: TrainingConfig, causal: bool = True) -> Plan:
    """Every question of the split once, in a fixed order; without ``causal``, or with a CRF, of whole sequences."""
    return examples.form.plans.judging(examples, batch_settings(task, config), causal and not task.crf)
