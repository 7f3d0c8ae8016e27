"""The plans of forms in which each row is one question."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from unrolled.data.forms.form import BatchSettings, EncodedSplit
from unrolled.data.plans.windows import Plan, Rows

__all__ = ["RowPlans"]


class RowPlans:
    """Plans of whole rows; a row without steps gets a prediction, but is not trained on."""

    cuts: ClassVar[bool] = False
    packs: ClassVar[bool] = True

    def questions(self, steps: np.ndarray) -> np.ndarray:
        return steps

    def read(self, steps: np.ndarray, lookback: int) -> np.ndarray:
        return steps

    def window(self, split: EncodedSplit, bptt: int | None) -> None:
        return None

    def training(self, split: EncodedSplit, settings: BatchSettings, epoch: int) -> Plan:
        lengths, kept = split.lengths(), split.holds()
        return Rows(
            lengths,
            settings.batch,
            settings.seed,
            epoch,
            strands=split.strands,
            kept=kept,
            tokens=settings.tokens,
            blocks=settings.blocks,
        )

    def judging(self, split: EncodedSplit, settings: BatchSettings, pieces: bool) -> Plan:
        return Rows(split.lengths(), settings.batch, keep_empty=True)

    def answering(self, known: np.ndarray, settings: BatchSettings) -> Plan:
        return Rows(known, settings.batch, keep_empty=True)
