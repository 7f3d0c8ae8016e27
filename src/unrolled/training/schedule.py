"""The training budget and the learning-rate schedule, both driven by progress in [0, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unrolled.training.config import TrainingConfig

__all__ = ["Budget"]

LONGEST = 10.0  # minutes, if no budget is given
_WARMUP_STEPS = 100  # if no budget is given
_FLOOR = 0.02  # the cosine ends at this share of the learning rate


@dataclass(frozen=True, slots=True)
class Budget:
    """The training budget: steps, epochs or minutes; or until validation stops improving, for at most ten minutes."""

    config: TrainingConfig

    @property
    def open_ended(self) -> bool:
        """True if validation decides when to stop."""
        return self.config.steps is None and self.config.epochs is None and self.config.minutes is None

    @property
    def by_clock(self) -> bool:
        """True if the schedule depends on the clock, so that a resumed run may not be bit-identical."""
        return self.config.steps is None and self.config.epochs is None

    def say(self) -> str:
        """The budget in words."""
        if self.config.steps:
            return f"{self.config.steps} steps"
        if self.config.epochs:
            return f"{self.config.epochs:g} epochs"
        if self.config.minutes:
            return f"{self.config.minutes:g} minutes"
        return f"until validation stops improving, for at most {LONGEST:g} minutes"

    def progress(self, step: int, epochs: float, seconds: float) -> float:
        """The share of the budget that is spent, ≥ 0; training stops at 1."""
        if self.config.steps:
            return step / self.config.steps
        if self.config.epochs:
            return epochs / self.config.epochs
        return seconds / 60 / (self.config.minutes or LONGEST)

    def rate(self, progress: float, step: int, factor: float) -> float:
        """The learning rate.

        Equations:
            with a budget: lr · min(1, p / warmup) · (ε + (1 − ε)(1 + cos πp) / 2);
            without: lr · min(1, step / 100) · factor, which halves when validation stalls.
        """
        config = self.config
        if self.open_ended:
            return config.lr * min(1.0, (step + 1) / _WARMUP_STEPS) * factor
        warm = min(1.0, (progress + 1e-3 * config.warmup) / config.warmup) if config.warmup else 1.0
        return config.lr * warm * (_FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2)
