"""How long a client waits between two tries, and when it gives up."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from unrolled.client.faults import Broken, Unreachable

__all__ = ["Patience"]

_FIRST, _LONGEST = 0.05, 5.0  # seconds


class Patience:
    """Waits twice as long after each failure, and gives up when there was no success for too long.

    Equations:
        wait_k = u · min(5 s, 0.05 s · 2^k), u uniform in [0.5, 1]: many clients do not come back at the same time.

    Args:
        seconds: after so long without a success it gives up.
        clock, chance: for tests.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._seconds, self._clock, self._chance = seconds, clock, chance
        self._failures, self._since = 0, 0.0

    def success(self) -> None:
        """Begin anew at the next failure."""
        self._failures = 0

    def wait(self, failure: Broken) -> float:
        """Seconds until the next try.

        Raises:
            Unreachable: it has been tried for long enough.
        """
        now = self._clock()
        if not self._failures:
            self._since = now
        pause = min(_LONGEST, _FIRST * 2**self._failures) * (1 + self._chance()) / 2
        pause = max(pause, failure.retry_after_s)
        if now + pause - self._since > self._seconds:
            raise Unreachable(f"the server was tried for {self._seconds:g} seconds; at last: {failure}") from failure
        self._failures += 1
        return pause
