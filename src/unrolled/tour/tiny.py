"""The tiny models of the tour, and how they are trained."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unrolled import api
from unrolled.runs.plan import Say
from unrolled.runs.trained import Trained
from unrolled.tour.made import Rows, first_symbols, reversed_digits

__all__ = ["LONGEST_REMEMBERED", "LONGEST_REVERSED", "Tiny", "train"]

LONGEST_REMEMBERED, LONGEST_REVERSED = 30, 8  # steps of a training row
_ROWS = 2_000
# Nothing beside the model itself: no race of alternatives, no mixture with a baseline.
_PLAIN: dict[str, Any] = {"plan": "fixed", "start": "none", "refit": "no", "quiet": True}
_ALONE: dict[str, Any] = {**_PLAIN, "blend": "none", "only": "none", "target": "first", "pool": "last", "batch": 32}
_RECURRENT: dict[str, Any] = {**_ALONE, "hidden": 8, "embedding": 4, "steps": 600, "lr": 0.03}
_PAIR: dict[str, Any] = {
    **_PLAIN,
    "target": "reversed",
    "task": "translate",
    "model": "gru",
    "batch": 64,
    "hidden": 32,
    "steps": 400,
    "lr": 0.01,
}


@dataclass(frozen=True, slots=True)
class Tiny:
    """The models: three that remember the first symbol, and two that reverse digits, one of them without attention."""

    rnn: Trained
    lstm: Trained
    transformer: Trained
    attending: Trained
    plain: Trained

    @property
    def rememberers(self) -> dict[str, Trained]:
        """The three that remember, by their names on the page."""
        return {"tanh RNN": self.rnn, "LSTM": self.lstm, "transformer": self.transformer}


def train(steps: int | None, seed: int, say: Say) -> Tiny:
    """Train them all.

    Args:
        steps: the most steps of each; ``None``: as many as it takes.
        seed: of the rows and the weights.
        say: receives a line for each model that is trained.
    """
    remember = first_symbols(_ROWS, 2, LONGEST_REMEMBERED, seed)
    reverse = reversed_digits(2 * _ROWS, 1, LONGEST_REVERSED, seed)
    with tempfile.TemporaryDirectory() as folder:

        def fit(name: str, data: Rows, options: dict[str, Any]) -> Trained:
            most = options["steps"] if steps is None else min(steps, options["steps"])
            say(f"training {name}: {most} steps")
            return api.fit(data, **{**options, "steps": most}, seed=seed, out=Path(folder) / name)

        return Tiny(
            rnn=fit("a tanh RNN", remember, {**_RECURRENT, "model": "rnn"}),
            lstm=fit("an LSTM", remember, {**_RECURRENT, "model": "lstm"}),
            transformer=fit(
                "a transformer",
                remember,
                {**_ALONE, "model": "transformer", "hidden": 32, "steps": 400, "lr": 0.005},
            ),
            attending=fit("an encoder-decoder with attention", reverse, {**_PAIR, "attention": "additive"}),
            plain=fit("an encoder-decoder without attention", reverse, {**_PAIR, "attention": "none"}),
        )
