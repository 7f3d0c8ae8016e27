"""The plans of forms in which each step is a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.data.encodings.encoding import Encoded
from unrolled.data.forms.form import BatchSettings, EncodedSplit
from unrolled.data.plans.counted import Questions
from unrolled.data.plans.order import in_parts
from unrolled.data.plans.windows import Lanes, Plan, Rows

__all__ = ["StepPlans", "steps_from"]


@dataclass(frozen=True, slots=True)
class StepPlans:
    """Plans of whole rows, or of lanes where rows are long.

    Attributes:
        later: step t predicts the value at t + ``later``.
        long: sequences up to this many steps are trained whole, longer ones in lanes.
        k1: the default steps of a window in lanes.
        context: unscored steps that a piece of a long sequence reads first in evaluation.
    """

    cuts: ClassVar[bool] = True
    packs: ClassVar[bool] = True

    later: int
    long: int = 2_048
    k1: int = 128
    context: int = 512

    def questions(self, steps: np.ndarray) -> np.ndarray:
        return np.maximum(steps - self.later, 0)

    def read(self, steps: np.ndarray, lookback: int) -> np.ndarray:
        return self.questions(steps)

    def window(self, split: EncodedSplit, bptt: int | None) -> int | None:
        if bptt:
            return bptt
        lengths = split.lengths()
        return self.k1 if any((lengths[rows] > self.long).any() for rows in in_parts(len(lengths))) else None

    def training(self, split: EncodedSplit, settings: BatchSettings, epoch: int) -> Plan:
        window = self.window(split, settings.bptt)
        if window:
            return Lanes(self.questions(split.steps()), settings.batch, window, settings.seed, epoch)
        return Rows(
            Questions(split.lengths(), self.later),
            settings.batch,
            settings.seed,
            epoch,
            strands=split.strands,
            tokens=settings.tokens,
            blocks=settings.blocks,
        )

    def judging(self, split: EncodedSplit, settings: BatchSettings, pieces: bool) -> Plan:
        questions, in_pieces = self.questions(split.steps()), pieces and self.window(split, settings.bptt) is not None
        if split.first is not None:
            asked = self.questions(split.first)
            starts = np.maximum(asked - self.context, 0) if in_pieces else None
            return Rows(questions, settings.batch, starts=starts, asked=asked)
        if in_pieces:
            return Lanes(questions, settings.batch, 2 * self.k1, context=self.context)
        return Rows(questions, settings.batch)

    def answering(self, known: np.ndarray, settings: BatchSettings) -> Plan:
        return Rows(known, settings.batch, keep_empty=True)


def steps_from(target: Encoded, first: np.ndarray | None, least: int = 0) -> np.ndarray:
    """(N,) bool: True for values of ``target`` at or after step ``first`` of their row, and at or after ``least``."""
    assert target.offsets is not None
    lengths = target.lengths()
    lowest = np.maximum(np.zeros_like(lengths) if first is None else first, least)
    return np.asarray(np.arange(len(target.values)) >= np.repeat(target.offsets[:-1] + lowest, lengths))
