"""How a split is divided into batches for training and evaluation, given the target's form and the options."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unrolled.batch import Continuous
from unrolled.data.batches.spec_augment import SpecAugment
from unrolled.data.batches.transposition import Transposition
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.form import BatchSettings
from unrolled.data.plans.segments import Transform
from unrolled.data.plans.windows import Plan, Transformed
from unrolled.errors import DataError, UsageError, named
from unrolled.tasks.task import Batching
from unrolled.training.config import TrainingConfig

__all__ = [
    "answering_plan",
    "batch_settings",
    "can_be_judged",
    "check_enough",
    "chunks",
    "evaluation_plan",
    "training_plan",
    "window",
]


_AT_ONCE, _NUMBERS = 256, 1 << 23  # rows that are predicted at once, and numbers of a layer, at most
_BLOCK = 1 << 20  # bytes
_HEADS = 8  # a step may look at each other step so many times


def batch_settings(batching: Batching, config: TrainingConfig) -> BatchSettings:
    """The settings of the task and the trainer that batches depend on."""
    return BatchSettings(config.batch, config.seed, config.bptt, batching.lookback, batching.mask, config.batch_tokens)


def _blocks(examples: Examples, config: TrainingConfig) -> int | None:
    return None if config.shuffle == "rows" else max(1, examples.nbytes // _BLOCK)


def window(examples: Examples, config: TrainingConfig) -> int | None:
    """The window k1 of truncated BPTT, or ``None`` if whole sequences are trained at once."""
    return examples.form.plans.window(examples, config.bptt)


def training_plan(examples: Examples, batching: Batching, config: TrainingConfig, epoch: int) -> Plan:
    """The batches of one epoch, a pure function of (seed, epoch).

    Raises:
        UsageError: SpecAugment is on, but no input has numbers for each step; or transposition is on, but no input
            is music.
    """
    settings = replace(batch_settings(batching, config), blocks=_blocks(examples, config))
    plan = examples.form.plans.training(examples, settings, epoch)
    transforms: list[Transform] = []
    if config.transpose:
        if not examples.keys:
            raise UsageError(
                f"{named('transpose')} only works with 88-key piano rolls and note events; this data has neither"
            )
        transforms.append(Transposition(examples, config.transpose, config.seed, epoch))
    if config.spec_augment:
        if not any(isinstance(spec, Continuous) and spec.time for spec in examples.specs.values()):
            raise UsageError(
                f"{named('spec_augment')} only works with inputs that have numbers for each step; this data has none"
            )
        beside = frozenset(name for name, spec in examples.specs.items() if spec.side is not None)
        transforms.append(SpecAugment(config.seed, epoch, beside))
    return Transformed(plan, tuple(transforms)) if transforms else plan


def can_be_judged(examples: Examples, batching: Batching, config: TrainingConfig) -> bool:
    """True if the split has anything to evaluate."""
    return len(evaluation_plan(examples, batching, config)) > 0


def check_enough(batches: int, valid: Examples | None, batching: Batching, config: TrainingConfig) -> None:
    """Refuse to train on nothing, or without anything to choose the weights by.

    Args:
        batches: of the training split.
        valid: the validation split, if any.
        batching, config: of the training.

    Raises:
        DataError: a split has no sequence that is long enough.
    """
    if not batches:
        raise DataError("no training sequence is long enough to learn from", hint="add more or longer sequences")
    if valid is not None and not can_be_judged(valid, batching, config):
        raise DataError("no validation sequence is long enough to evaluate on", hint="add more or longer sequences")


def evaluation_plan(examples: Examples, batching: Batching, config: TrainingConfig, causal: bool = True) -> Plan:
    """The batches that cover a split once, in a fixed order; whole sequences if not ``causal`` or with a CRF."""
    return examples.form.plans.judging(examples, batch_settings(batching, config), causal and batching.in_pieces)


def answering_plan(
    examples: Examples, known: np.ndarray, batching: Batching, config: TrainingConfig, width: int
) -> Plan:
    """The batches that predict each row once; of short rows a batch holds more than in training, which is faster.

    Args:
        examples: the rows.
        known: (N,) int64, how many steps of each row are read.
        batching, config: as for training.
        width: numbers that a model computes for a step, about; they bound the memory of a batch.
    """
    settings = batch_settings(batching, config)
    longest = max((int(column.lengths().max(initial=1)) for column in examples.inputs.values()), default=1)
    widths = [spec.width for spec in examples.specs.values() if isinstance(spec, Continuous)]
    step = max(width, sum(widths), _HEADS * longest)
    rows = max(settings.batch, min(_AT_ONCE, _NUMBERS // (longest * step)))
    return examples.form.plans.answering(known, replace(settings, batch=rows))


def chunks(steps: int | None, config: TrainingConfig) -> int:
    """k2 / k1, the windows that a gradient reaches back; ``steps`` is k1, see `window`.

    Raises:
        UsageError: ``bptt_gradient`` is set, but sequences are not trained in windows, or it is no multiple of these.
    """
    if config.bptt_gradient is None:
        return 1
    if steps is None:
        raise UsageError(
            f"{named('bptt_gradient')} only works with sequences that are trained in windows ({named('bptt')})"
        )
    if config.bptt_gradient % steps:
        raise UsageError(
            f"{named('bptt_gradient')} must be a multiple of {named('bptt')} ({steps}), not {config.bptt_gradient}"
        )
    return config.bptt_gradient // steps
