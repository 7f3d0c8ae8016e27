"""The one time that training reads the clock: a budget in minutes becomes a number of steps.

After that, the weights depend on the data, the seed and this number only, so that a run resumes to the bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from unrolled.training.schedule import Budget

__all__ = ["Allowance", "Stopwatch", "doubling"]

_VALIDATIONS = 20  # over a budget of minutes
_FEW = 10  # over a budget of steps or epochs
_REST = 4  # train at least this many times as long as validations take
_APART = 40  # fewest steps between validations of an open-ended run: after fewer, a plateau may be noise
_WARM = 3  # steps that are not timed: memory is allocated, kernels are loaded
_TIMED, _SHARE = 20, 0.02  # steps to time at least, in at least this share of the budget,
_MANY, _SURE = 100, 2.0  # or so many steps in so many seconds
_MOST = 0.1  # of the budget, however slow the steps are


@dataclass(frozen=True, slots=True)
class Allowance:
    """The steps of a training, and when it validates.

    Attributes:
        steps: all steps, from the first.
        every: the steps from one validation to the next.
        least: validations before step ``every`` are at 40, 80, 160, … from this step on, so that a small data set that
            is learned at once is seen in time.
    """

    steps: int
    every: int
    least: float = math.inf

    @classmethod
    def counted(cls, steps: int) -> Self:
        """``steps`` that the user gave: ten validations at even distances."""
        return cls(steps, max(1, steps // _FEW))

    @classmethod
    def measured(cls, budget: Budget, done: int, left: float, step: float, validation: float, epoch: int) -> Self:
        """What the rest of a budget in minutes allows.

        Args:
            budget: the budget.
            done: the steps that were taken.
            left: the seconds that are left.
            step: the seconds of a step.
            validation: the seconds of a validation; these take at most about a fifth of the time.
            epoch: the steps of an epoch.
        """
        left = max(0.0, left - 2 * validation)  # one where the rate starts to fall, one at the end
        apart = _REST * validation / step
        even = (done + left / step) / _VALIDATIONS
        wanted = max(_APART, min(epoch, even)) if budget.open_ended else even
        every = max(1, math.ceil(max(apart, wanted)))
        return cls(done + int(left / (step + validation / every)), every, max(_APART, apart))

    def validates(self, step: int) -> bool:
        """Whether a validation is due after ``step`` steps."""
        if step >= self.every:
            return step % self.every == 0
        return step >= self.least and doubling(step)


def doubling(step: int) -> bool:
    """Whether ``step`` is 40, 80, 160, …: the validations while the clock is still being read."""
    times, rest = divmod(step, _APART)
    return rest == 0 and times > 0 and times & (times - 1) == 0


class Stopwatch:
    """Times the first steps of a run.

    Args:
        budget: the seconds of the whole training.
        step, seconds: those that were spent before, if the run is resumed.

    Attributes:
        validation: the seconds of the last validation; ``None`` if there was none.
    """

    def __init__(self, budget: float, step: int, seconds: float) -> None:
        self._budget, self._first, self._began = budget, step, seconds
        self._mark: tuple[int, float] | None = None
        self._apart = 0.0  # seconds that were not spent on steps
        self.validation: float | None = None

    def leave_out(self, seconds: float) -> None:
        """Do not count ``seconds``, which a validation took."""
        self._apart, self.validation = self._apart + seconds, seconds

    def tick(self, step: int, seconds: float) -> float | None:
        """The seconds of a step, once enough steps were timed, or else ``None``.

        Args:
            step: the steps that were taken.
            seconds: those that training has taken until now.
        """
        spent = seconds - self._began
        late = spent >= _MOST * self._budget
        if self._mark is None:
            if step - self._first >= _WARM or late:
                self._mark = (step, seconds - self._apart)
            return None
        timed, took = step - self._mark[0], seconds - self._apart - self._mark[1]
        enough = timed >= _TIMED and spent >= _SHARE * self._budget
        if enough or late or (timed >= _MANY and took >= _SURE):
            return max(took, 1e-9) / timed
        return None
