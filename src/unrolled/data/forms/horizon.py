"""The next H steps: a forecast from a window of history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.batch import Discrete, Spec
from unrolled.data.encodings.encoding import Encoded, Encoding, Where, has_time
from unrolled.data.forms._division import by_forecast
from unrolled.data.forms.form import BatchSettings, Division, EncodedSplit, Plans
from unrolled.data.plans.gather import gather_target
from unrolled.data.plans.segments import Segments
from unrolled.data.plans.windows import Plan, Windows
from unrolled.data.tables.sequences import Sequences

__all__ = ["Horizon"]


class _WindowPlans:
    """Plans of windows of at most ``lookback`` steps; predictions are for the last window of each row."""

    cuts: ClassVar[bool] = False
    packs: ClassVar[bool] = False

    def questions(self, steps: np.ndarray) -> np.ndarray:
        return steps

    def read(self, steps: np.ndarray, lookback: int) -> np.ndarray:
        return np.minimum(steps, lookback)

    def window(self, split: EncodedSplit, bptt: int | None) -> None:
        return None

    def training(self, split: EncodedSplit, settings: BatchSettings, epoch: int) -> Plan:
        return Windows.every(split.windows(), settings.lookback, settings.batch, settings.seed, epoch, settings.blocks)

    def judging(self, split: EncodedSplit, settings: BatchSettings, pieces: bool) -> Plan:
        return Windows.every(split.windows(), settings.lookback, 4 * settings.batch)

    def answering(self, known: np.ndarray, settings: BatchSettings) -> Plan:
        return Windows(np.arange(len(known)), known, settings.lookback, settings.batch)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Steps t + 1 … t + H of the target, which is one of the inputs, answer the steps up to t.

    Attributes:
        horizon: H ≥ 1.
    """

    name: ClassVar[str] = "horizon"
    continues: ClassVar[bool] = True
    predicts_next: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    own_length: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    plans: ClassVar[Plans] = _WindowPlans()

    horizon: int

    @property
    def asks(self) -> str:
        """What is predicted, in words."""
        return f"its own next {self.horizon} steps"

    def prepare(self, target: Encoded, answer: Encoding, steps: np.ndarray, where: Where) -> Encoded:
        return target

    def gather(self, target: Encoded, segments: Segments, real: np.ndarray, spec: Spec) -> np.ndarray:
        ahead = np.arange(self.horizon) + segments.lengths[:, None]  # (B, H)
        return gather_target(target, segments, ahead, np.ones_like(ahead, bool), isinstance(spec, Discrete))

    def hold_out(self, sequences: Sequences, share: float, seed: int, target: str) -> Division:
        known = sequences.kinds
        joined = (name for name in known if sequences.traits(name).measured and has_time(sequences.column(name).type))
        return by_forecast(sequences, share, self.horizon, (target,) if target in known else tuple(joined), seed)


MEMBER = Horizon
