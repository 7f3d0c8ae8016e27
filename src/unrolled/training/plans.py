"""Which plan a split is trained and judged by: the form of the question and the lengths decide."""

from __future__ import annotations

import numpy as np

from unrolled.batch import Continuous
from unrolled.config import TaskConfig, TrainingConfig
from unrolled.data.encodings._level import UNKNOWN
from unrolled.data.examples import ANSWERED_WHOLE, Examples
from unrolled.data.masking import Masking
from unrolled.data.spec_augment import Augmented, SpecAugment
from unrolled.data.transposition import Transposed, Transposition
from unrolled.data.windows import Lanes, Pieces, Plan, Rows, Windows
from unrolled.errors import UsageError

__all__ = ["evaluation_plan", "lookback", "training_plan", "window"]

LONG = 2_048  # sequences up to this many steps are trained whole; longer ones in lanes
WINDOW = 128  # k1 where lanes are chosen for the user
PIECE = 512  # steps of the pieces that longer sequences are filled in by
CONTEXT = 512  # unscored steps that a piece of a long sequence reads first when it is judged


def lookback(config: TaskConfig) -> int:
    """The steps of history that a forecast sees: what was asked, or three horizons and at least 64."""
    return config.lookback or max(64, 3 * (config.horizon or 1))


def window(examples: Examples, config: TrainingConfig) -> int | None:
    """k1 of truncated BPTT, or ``None`` where whole sequences are trained at once."""
    if examples.form not in ("next", "aligned"):
        return None
    longest = int(examples.steps().max(initial=0))
    return config.bptt or (WINDOW if longest > LONG else None)


def _pieces(
    examples: Examples, task: TaskConfig, config: TrainingConfig, seed: int | None = None, epoch: int = 0
) -> Pieces:
    """What is hidden depends on (seed, epoch); of a split that is judged it is always the same."""
    steps, masking = examples.steps(), Masking(task.mask, seed or 0, epoch)
    longest = int(steps.max(initial=1))
    return Pieces(
        np.where(_known(examples), steps, 0),
        config.bptt or (PIECE if longest > LONG else longest),
        masking,
        config.batch,
        seed,
        epoch,
    )


def _known(examples: Examples) -> np.ndarray:
    """(rows,) bool: whether a row holds a token that could be told, were it hidden."""
    assert examples.target is not None and examples.target.offsets is not None
    steps = examples.steps()
    found, filled = np.zeros(len(steps), bool), steps > 0
    if filled.any():
        known = np.asarray(examples.target.values != UNKNOWN)
        found[filled] = np.logical_or.reduceat(known, examples.target.offsets[:-1][filled])
    return found


def _questions(examples: Examples) -> np.ndarray:
    steps = examples.steps()
    return np.maximum(steps - 1, 0) if examples.form == "next" else steps


def training_plan(examples: Examples, task: TaskConfig, config: TrainingConfig, epoch: int) -> Plan:
    """The batches of one epoch, a pure function of (seed, epoch).

    Raises:
        UsageError: parts of frames are to be hidden, and no input has numbers for each step; or pieces are to be
            transposed, and no input has keys.
    """
    plan = _plan(examples, task, config, epoch)
    if config.transpose:
        if not examples.keys:
            raise UsageError("--transpose is for piano rolls of 88 keys and events of notes, and no input is one")
        plan = Transposed(plan, Transposition(examples, config.transpose, config.seed, epoch))
    if not config.spec_augment:
        return plan
    if not any(isinstance(spec, Continuous) and spec.time for spec in examples.specs.values()):
        raise UsageError("--spec-augment hides parts of frames, and no input has numbers for each step: leave it out")
    return Augmented(plan, SpecAugment(config.seed, epoch))


def _plan(examples: Examples, task: TaskConfig, config: TrainingConfig, epoch: int) -> Plan:
    if examples.form == "horizon":
        rows, ends = examples.window_ends()
        return Windows(rows, ends, lookback(task), config.batch, config.seed, epoch)
    if examples.form == "fill":
        return _pieces(examples, task, config, config.seed, epoch)
    steps = window(examples, config)
    if steps:
        return Lanes(_questions(examples), config.batch, steps, config.seed, epoch)
    return Rows(_questions(examples), config.batch, config.seed, epoch, strands=bool(examples.complements))


def can_be_judged(examples: Examples, task: TaskConfig, config: TrainingConfig) -> bool:
    """True if at least one question is asked of the split."""
    return len(evaluation_plan(examples, task, config)) > 0


def evaluation_plan(examples: Examples, task: TaskConfig, config: TrainingConfig, causal: bool = True) -> Plan:
    """Every question of the split once, in a fixed order; without ``causal``, or with a CRF, of whole sequences."""
    if examples.form == "horizon":
        rows, ends = examples.window_ends()
        return Windows(rows, ends, lookback(task), 4 * config.batch)
    if examples.form == "fill":
        return _pieces(examples, task, config)
    if examples.form == "next" and examples.first is not None:
        asked = np.maximum(examples.first - 1, 0)  # step t is asked for at the step before it
        starts = np.maximum(asked - CONTEXT, 0) if causal and window(examples, config) else None
        return Rows(_questions(examples), config.batch, starts=starts, asked=asked)
    if causal and not task.crf and window(examples, config):
        return Lanes(_questions(examples), config.batch, 2 * WINDOW, context=CONTEXT)
    return Rows(_questions(examples), config.batch, keep_empty=examples.form in ANSWERED_WHOLE)
