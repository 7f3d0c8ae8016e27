"""The training budget, and the learning rate at each step: it warms up, holds, and falls at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unrolled.training.config import TrainingConfig

__all__ = ["Budget", "fall_length", "planned_fall", "rate"]

LONGEST = 10.0  # minutes, if no budget is given
_FLOOR = 0.02  # the fall ends at this share of the learning rate
_HELD = 0.75  # share of the steps before the fall
_SHORTEST = 20  # steps of an early fall, at least
_WARM_STEPS = 100  # of the default warm-up where the end is not known when training starts


@dataclass(frozen=True, slots=True)
class Budget:
    """The training budget: steps, epochs or minutes; or until validation stops improving, for at most ten minutes."""

    config: TrainingConfig

    @property
    def open_ended(self) -> bool:
        """True if validation decides when to stop."""
        return self.config.steps is None and self.config.epochs is None and self.config.minutes is None

    @property
    def seconds(self) -> float | None:
        """The seconds that training may take; ``None`` for a budget of steps or epochs."""
        if self.config.steps is not None or self.config.epochs is not None:
            return None
        return 60 * (self.config.minutes or LONGEST)

    def say(self) -> str:
        """The budget in words."""
        if self.config.steps:
            return f"{self.config.steps} steps"
        if self.config.epochs:
            return f"{self.config.epochs:g} epochs"
        if self.config.minutes:
            return f"{self.config.minutes:g} minutes"
        return f"until validation stops improving, for at most {LONGEST:g} minutes"

    def steps(self, batches: int) -> int | None:
        """The budget in steps, if it needs no clock; ``batches`` is the length of an epoch."""
        if self.config.epochs is not None:
            return math.ceil(self.config.epochs * batches - 1e-9)
        return self.config.steps

    def warm(self, steps: int | None) -> int:
        """The steps in which the rate warms up: a share of all ``steps``.

        Where these are not known yet, the default share stands for 100 steps.
        """
        share = self.config.warmup
        if steps is not None:
            return round(share * steps)
        return round(share / type(self.config).model_fields["warmup"].default * _WARM_STEPS)


def planned_fall(steps: int) -> int:
    """The step before which the rate falls at the latest: three quarters of all ``steps``."""
    return int(_HELD * steps)


def fall_length(best_at: int) -> int:
    """The steps of a fall that begins early: a third of those that led to the best weights, and at least 20."""
    return max(_SHORTEST, best_at // 3)


def rate(lr: float, step: int, warm: int, fall: int | None, end: int) -> float:
    r"""The learning rate of a step.

    .. math::
        \eta_t = \eta \min(1, (t + 1) / W) \cdot
            \begin{cases} 1 & t < F \\ \epsilon + (1 - \epsilon)(1 - \sqrt p) & p = (t - F) / (E - F) \end{cases}

    Args:
        lr: η, the rate that is held.
        step: t, from 0.
        warm: W, the steps of the warm-up; 0: none.
        fall: F, the first step of the fall; ``None`` before that is known.
        end: E, the steps of the whole training.

    References:
        Hägele et al. 2024, https://arxiv.org/abs/2405.18392

    Example:
        >>> [round(rate(1.0, step, 2, 4, 8), 3) for step in range(8)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 0.51, 0.307, 0.151]
    """
    held = lr * min(1.0, (step + 1) / warm) if warm else lr
    if fall is None or step < fall:
        return held
    share = min(1.0, (step - fall) / max(1, end - fall))
    return held * (_FLOOR + (1 - _FLOOR) * (1 - math.sqrt(share)))
