"""The position of a run: what a checkpoint holds beside weights, optimiser, random generators and lane states."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

__all__ = ["Progress", "is_early"]

_FLAT = 0.98  # the training loss has not fallen if it stays above this share of where it began
_EARLY, _FIRST = 0.1, 100  # share of the steps, and steps, after which that is asked


def is_early(step: int, total: int | None) -> bool:
    """Whether it is too early to say that a training learns nothing."""
    return total is None or step < max(_FIRST, _EARLY * total)


@dataclass(slots=True)
class Progress:
    """The position of a run. With weights, optimiser, random and lane states, it determines the next step."""

    step: int = 0
    epoch: int = 0
    index: int = 0  # batches done in this epoch
    seconds: float = 0.0
    saved: float = 0.0  # `seconds` at the last checkpoint
    validations: int = 0
    validated: int = -1  # step of the last validation
    best: float = math.inf  # the `cost` of the best validation
    best_loss: float = math.inf  # its loss, which decides between validations that are equally good
    best_at: int = -1  # its step
    stale: int = 0  # validations since the best one
    clipped: int = 0
    skipped: int = 0
    skipped_in_row: int = 0
    loss: float = 0.0  # since the last log
    count: float = 0.0
    first_loss: float = math.inf  # of the first log
    lowest_loss: float = math.inf  # of the later ones
    asked: bool = False  # whether the loss was compared with the first one
    total: int | None = None  # the steps that the budget allows; `None` until the clock was read
    every: int = 1  # the steps between validations
    least: float = math.inf  # see `Allowance`
    warm: int = 0  # the steps of the warm-up
    averaged: int = 0  # the steps in the averaged weights
    fall: int | None = None  # the first step of the fall; `None` before it
    end: int | None = None  # the steps at which the fall ends
    refit: bool = False  # whether the fall learns from the validation split too
    checked: bool = False  # whether its end was compared with the weights before it
    refused: bool = False  # whether those were kept

    @property
    def is_over(self) -> bool:
        """Whether all steps were taken."""
        limit = self.total if self.end is None else self.end
        return limit is not None and self.step >= limit

    @property
    def share(self) -> float | None:
        """The share of the steps that were taken; ``None`` while their number is not known."""
        limit = self.total if self.end is None else self.end
        return None if limit is None else min(1.0, self.step / max(1, limit))

    def to_meta(self) -> dict[str, Any]:
        """As saved in a checkpoint, where ``None`` stands for infinity too."""
        return {name: None if value == math.inf else value for name, value in asdict(self).items()}

    def learns_nothing(self, loss: float) -> bool:
        """Take in a logged training loss; True, once, if after a tenth of the steps it is still where it began."""
        if self.first_loss == math.inf:
            self.first_loss = loss
            return False
        self.lowest_loss = min(self.lowest_loss, loss)
        if self.asked or is_early(self.step, self.total):
            return False
        self.asked = True
        return 0 < _FLAT * self.first_loss < self.lowest_loss

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], metric: str) -> Self:
        """Read what `to_meta` gave; values that earlier versions had or lacked are left out, or begin anew.

        Args:
            meta: the values of a checkpoint.
            metric: the one that chooses the weights.

        Raises:
            KeyError: it is of no checkpoint of a training.
        """
        infinite = {f.name for f in fields(cls) if f.default == math.inf}
        names = {f.name for f in fields(cls)} & meta.keys()
        known = {n: math.inf if n in infinite and meta[n] is None else meta[n] for n in names}
        return cls(**{**known, "best": _best(meta["best"], metric), "step": meta["step"]})


def _best(saved: float | None, metric: str) -> float:
    """`Progress.best` from a checkpoint."""
    if metric == "loss_nats_per_token" and saved is not None and saved <= 0:
        return math.inf  # earlier versions chose among items by −NDCG
    if metric == "chrf" and saved is not None and saved > 0:
        return math.inf  # earlier versions chose by the token error rate
    return math.inf if saved is None else saved
