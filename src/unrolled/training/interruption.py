"""When a run saves, and how a signal stops it: after the step that it arrives in."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from unrolled.errors import Interrupted, UsageError, named
from unrolled.training.together import Together

__all__ = ["Deferred", "Every", "Stop"]


@dataclass(frozen=True, slots=True)
class Every:
    """The interval between checkpoints: every ``number`` steps or seconds."""

    number: int
    seconds: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """``50`` is every 50 steps, ``30s`` every 30 seconds.

        Raises:
            UsageError: the text is neither.
        """
        number = text.removesuffix("s")
        if not number.isdecimal() or int(number) < 1:
            raise UsageError(
                f"{named('checkpoint_every')} must be steps, such as 50, or seconds, such as 30s, not {text!r}"
            )
        return cls(int(number), text.endswith("s"))

    def is_due(self, step: int, seconds: float) -> bool:
        """Whether to save after ``step`` steps, ``seconds`` after the last checkpoint."""
        if self.seconds:
            return seconds >= self.number
        return step % self.number == 0


class Deferred:
    """Defers SIGINT and SIGTERM to the end of a step; outside the main thread it does nothing."""

    def __init__(self, note: Callable[[int], None]) -> None:
        self.note, self.before = note, {}  # type: ignore[var-annotated]

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.before[number] = signal.signal(number, lambda n, _: self.note(n))
            except ValueError:
                return

    def __exit__(self, *_: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class Stop:
    """The signals that a training has heard: on several ranks, all of them stop after the same step.

    Args:
        together: the ranks.

    Attributes:
        heard: the signal that this rank heard; ``None`` if it heard none.
        agreed: the one that all ranks follow.
    """

    def __init__(self, together: Together) -> None:
        self._together = together
        self.heard: int | None = None
        self.agreed: int | None = None

    def hear(self, number: int) -> None:
        """Take note of a signal; a rank that is alone follows it."""
        self.heard = number
        if self._together.alone:
            self.agreed = number

    def follow(self, signals: bytes) -> None:
        """Follow the first of ``signals`` that is not 0, if there is one."""
        self.agreed = next((number for number in signals if number), self.agreed)

    def agree(self) -> None:
        """Follow the signal that any rank has heard."""
        self.follow(b"".join(self._together.stack(bytes([self.heard or 0]))))

    def leave(self, step: int, run: Path) -> None:
        """End training, if that is agreed.

        Raises:
            Interrupted: it is; a checkpoint was saved after ``step`` steps.
        """
        if self.agreed is not None:
            name, again = signal.Signals(self.agreed).name, f"unrolled fit --resume {run}"
            raise Interrupted(f"{name}: saved at step {step}; resume with: {again}", self.agreed)
