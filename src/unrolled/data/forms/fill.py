"""Predict hidden steps, as in masked language models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.batch import Discrete, Spec
from unrolled.data.encodings._level import UNKNOWN
from unrolled.data.encodings.encoding import Encoded, Encoding, Where
from unrolled.data.forms._division import end_of_few
from unrolled.data.forms._steps import steps_from
from unrolled.data.forms.form import BatchSettings, Division, EncodedSplit, Plans
from unrolled.data.plans.gather import gather_target
from unrolled.data.plans.masking import Masking, hide_unknown
from unrolled.data.plans.segments import Segments
from unrolled.data.plans.windows import Pieces, Plan, Rows, Transformed
from unrolled.data.tables.sequences import Sequences

__all__ = ["FillIn"]

LONG = 2_048  # sequences up to this many steps are read whole
PIECE = 512  # steps of each piece of a longer one


class _PiecePlans:
    """Plans of pieces with a share of hidden steps; predictions are for whole rows, in which the user hid steps."""

    cuts: ClassVar[bool] = True
    packs: ClassVar[bool] = True

    def questions(self, steps: np.ndarray) -> np.ndarray:
        return steps

    def read(self, steps: np.ndarray, lookback: int) -> np.ndarray:
        return np.zeros_like(steps)  # pieces are short

    def window(self, split: EncodedSplit, bptt: int | None) -> None:
        return None

    def training(self, split: EncodedSplit, settings: BatchSettings, epoch: int) -> Plan:
        """The hidden steps depend on (seed, epoch)."""
        return _pieces(split, settings, settings.seed, epoch)

    def judging(self, split: EncodedSplit, settings: BatchSettings, pieces: bool) -> Plan:
        """The hidden steps are always the same."""
        return _pieces(split, settings, None, 0)

    def answering(self, known: np.ndarray, settings: BatchSettings) -> Plan:
        return Transformed(Rows(known, settings.batch, keep_empty=True), (hide_unknown,))


def _pieces(split: EncodedSplit, settings: BatchSettings, seed: int | None, epoch: int) -> Pieces:
    assert isinstance(split.target_spec, Discrete)
    steps, masking = split.steps(), Masking(settings.mask, seed or 0, epoch, split.target_spec.size)
    longest = int(steps.max(initial=1))
    asked = np.where(_known(split, steps), steps, 0)
    piece = settings.bptt or (PIECE if longest > LONG else longest)
    return Pieces(asked, piece, masking, settings.batch, seed, epoch, settings.tokens, settings.blocks)


def _known(split: EncodedSplit, steps: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a row has a known token, which can be hidden and predicted."""
    assert split.target is not None and split.target.offsets is not None
    found, filled = np.zeros(len(steps), bool), steps > 0
    if filled.any():
        known = np.asarray(split.target.values != UNKNOWN)
        found[filled] = np.logical_or.reduceat(known, split.target.offsets[:-1][filled])
    return found


@dataclass(frozen=True, slots=True)
class FillIn:
    """Step t of the target, which is the input itself, answers step t, which is hidden in the input.

    Any known token may be hidden, and is then predicted.

    Example:
        >>> FillIn().asked(Encoded(np.array([5, UNKNOWN, 7]), np.array([0, 3])), None, discrete=True)
        array([0, 2])
    """

    name: ClassVar[str] = "fill"
    continues: ClassVar[bool] = True
    predicts_next: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    own_length: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    horizon: ClassVar[int] = 0
    asks: ClassVar[str] = "its own hidden steps"
    plans: ClassVar[Plans] = _PiecePlans()

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        return target

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        steps = np.arange(real.shape[1])
        return gather_target(target, segments, steps, real, isinstance(spec, Discrete))

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        return end_of_few(sequences, share, seed)

    def asked(self, target: Encoded, first: np.ndarray | None, discrete: bool) -> np.ndarray:
        return np.flatnonzero(steps_from(target, first) & (target.values != UNKNOWN))


MEMBER = FillIn
