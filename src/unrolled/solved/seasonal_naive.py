"""Predicts that the last season repeats, such as the same hour of yesterday or of last week."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._season import season
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.horizon import Horizon
from unrolled.layers.graph import Value, where
from unrolled.program.instructions import Gather, Source, Vector
from unrolled.program.program import Program
from unrolled.solved._naive import Naive, Recent, numbers_over_time
from unrolled.tasks.task import Task

__all__ = ["SeasonalNaive"]


class SeasonalNaive(Naive):
    r"""Predicts that each channel repeats its last period of m steps.

    .. math:: \hat y_{t+h} = y_{t + h - m \lceil h / m \rceil}

    All channels share one period m, no longer than the steps that a forecast reads. It is chosen from the classical
    periods (day, week and year in common units) and the highest peaks of the training autocorrelation, by the squared
    error of its forecasts on the training split. 1 is among them, so without a season this is the last-value forecast.
    If less than one period is known, the prediction is the last value; missing values are skipped.

    What it shows: how much can be predicted from the calendar. It has beaten published networks for load and traffic;
    only what a model gains over it is learned dynamics.

    Applies to: forecasts.

    Cost: fit O(N W log N); a step O(m).

    References:
        Hyndman and Athanasopoulos, Forecasting, section 5.2. https://otexts.com/fpp3/simple-methods.html
    """

    class Options(Part):
        """Its size: the period, which the training split decides."""

        period: int | None = None

    name: ClassVar[str] = "seasonal naive"

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts."""
        return numbers_over_time(task, train) and isinstance(train.form, Horizon)

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Choose the period; nothing is drawn at random."""
        period = options.period or season(train, task.batching.lookback)
        model = cls(task, options.model_copy(update={"period": period}))
        model._solved(train)
        return model

    @property
    def remembered(self) -> int:
        """The period."""
        return int(self.options.period or 1)

    def ahead(self, state: Recent) -> Tensor:
        """The same step of the last period, or the last value if it is not known."""
        period = self.remembered
        at = torch.arange(self.spread.shape[0], device=state.steps.device) % period  # (H,) from the oldest
        there = at >= period - state.steps[:, None]  # (B, H)
        return torch.where(there[..., None], state.values[:, at], state.values[:, -1:])

    def write_ahead(self, program: Program, recent: Vector, channel: int) -> Source:
        """The same step of the last period, or the last value while it is not known."""
        period, channels, horizon = self.remembered, len(self.mean), self.spread.shape[0]
        season, ahead = program.local("season", horizon), program.local("ahead", horizon)
        program.add(Gather(season, recent.part(channel, recent.size - channel), horizon, 1, channels, wrap=period))
        # The period holds the step once more steps than ``unknown`` have come.
        unknown = period - 1 - np.arange(horizon) % period
        values: dict[str, Source] = {
            "season": season,
            "last": super().write_ahead(program, recent, channel),
            "unknown": program.constant("unknown", unknown),
        }
        equations = {"there": "1 - relu(1 - relu(steps - unknown))", "y": "last + there * (season - last)"}
        program.each(equations, values, {"y": ahead}, horizon)
        return ahead

    def ahead_graph(self, state: Any) -> Value:
        """`ahead` as operators."""
        values, steps = state
        g, period = values.graph, self.remembered
        at = g.constant(np.arange(self.spread.shape[0]) % period)
        there = at >= (period - steps).unsqueeze(1)
        last = values.part(period - 1, period, 1)
        return where(there.unsqueeze(2), g.op("Gather", values, at, axis=1), last)


MEMBER = SeasonalNaive
