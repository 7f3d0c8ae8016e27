"""Forecasters that smooth exponentially: their weights, and how they are solved.

Axes: B rows, C channels, H horizon, L lanes of weights: C, or 1 where many channels share them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.data.examples.examples import Examples
from unrolled.layers.graph import Value
from unrolled.solved._forecaster import Forecaster, forecasts
from unrolled.solved._smoothing import Smoothed, Smoother, after, ahead, begin
from unrolled.solved._smoothing_fit import Data, Tried, best, smoother
from unrolled.solved._smoothing_graph import after_graph, smoothed_ahead
from unrolled.solved._training_series import centres, data_of, groups_of, least, season_in, series_of
from unrolled.tasks.task import Task

__all__ = ["SmoothingModel"]

_NUMBERS = 4_000_000  # of the corrections of the first steps
_NAMES = ("alpha", "beta", "gamma", "phi", "drift")


class SmoothingModel(Forecaster):
    """A forecaster whose method is `unrolled.solved._smoothing`; its options are ``period``, ``early`` and ``lanes``.

    The state at the start of a window is not fitted: training shows how steep series are and which waves their season
    has, and each value corrects it by as much as is still unknown. So a session that starts in the middle of a season
    needs no buffer, and answers from the first value on.
    """

    weights: Tensor  # (5, L): alpha, beta, gamma, phi, drift
    early: Tensor  # (L, T, 2 + M)
    follows = False  # the line through all values
    effort = 1

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        lanes, period, steps = options.lanes or 1, options.period or 1, options.early or 1
        self.register_buffer("weights", torch.zeros(len(_NAMES), lanes))
        self.register_buffer("early", torch.zeros(lanes, steps, 2 + period))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts."""
        return forecasts(task, train)

    @classmethod
    @abstractmethod
    def forms(cls, data: Data, period: int) -> list[Tried]:
        """What is tried for the series of a channel."""

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Choose the weights of each channel, or those that many share; then measure the errors."""
        assert train.target is not None
        channels, groups = train.target.values.shape[1], groups_of(train)
        longest = [z for group in groups for z in series_of(train, group[0])]
        period = season_in(longest, task.coder.season)
        steps = min(task.batching.lookback, max(map(len, longest)), max(1, _NUMBERS // (len(groups) * (2 + period))))
        model = cls(task, options.model_copy(update={"period": period, "early": steps, "lanes": len(groups)}))
        data = [data_of(train, group, period) for group in groups]
        relative = []
        for lane, (own, found) in enumerate(
            zip(data, best(data, [cls.forms(one, period) for one in data], steps, seed), strict=True)
        ):
            relative.append(found.form.relative)
            fitted = smoother(own, found, steps)
            model.weights[:, lane] = torch.stack([getattr(fitted, name)[0] for name in _NAMES])
            model.early[lane] = fitted.early[0]
        logs = np.array(relative * (channels if len(groups) == 1 else 1))
        middles = [centres(train, channel)[int(log)] for channel, log in enumerate(logs)]
        lowest = [least(train, channel) / 10 if log else 1.0 for channel, log in enumerate(logs)]
        model._with_units(logs, np.array(middles), np.array(lowest))
        model._with_spread(train)
        return model

    @property
    def _smoother(self) -> Smoother:
        channels = len(self.centre)
        alpha, beta, gamma, phi, drift = (part.expand(channels) for part in self.weights)
        early = self.early.expand(channels, -1, -1)
        return Smoother(alpha, beta, gamma, phi, drift, self.relative > 0, early)

    def begin(self, rows: int) -> Smoothed:
        """The state before the first step."""
        return begin(self._smoother, rows, self.follows)

    def read(self, z: Tensor, known: Tensor, lengths: Tensor, state: Smoothed) -> Smoothed:
        """The state after the steps of each row."""
        return after(self._smoother, state, z, known, lengths)

    def read_graph(self, z: Value, known: Value, real: Value, state: Any) -> Any:
        """See `Forecaster`."""
        return after_graph(self._smoother, z, known, real, state)

    def ahead_graph(self, state: Any) -> Value:
        """See `Forecaster`."""
        return smoothed_ahead(self._smoother, state, self.spread.shape[0])

    def ahead(self, state: Smoothed) -> Tensor:
        """The forecasts of z."""
        return ahead(self._smoother, state, self.spread.shape[0])
