"""Croston's method for values that are mostly 0: how large a demand is, and how many steps lie between two."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.solved._forecaster import Forecaster, forecasts, step_by_step
from unrolled.tasks.task import Task

__all__ = ["Croston", "Demand"]

_ZEROS = 0.24  # a demand every 1.32 steps or less often: intermittent by Syntetos and Boylan
_ALPHAS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
_LONGEST, _SERIES = 5000, 300  # what alpha is chosen on


class Demand(NamedTuple):
    """The state.

    Attributes:
        gap: (B, C), the steps since the last demand, or since the first step.
        size, interval: (B, C), smoothed; before a first demand the means of training.
        demands: (B, C), how many demands there were.
    """

    gap: Tensor
    size: Tensor
    interval: Tensor
    demands: Tensor


class Croston(Forecaster):
    r"""Croston's method with the correction of Syntetos and Boylan (SBA), for intermittent series.

    .. math::
        z \mathrel{+}= \alpha (y_t - z),\quad p \mathrel{+}= \alpha (q_t - p) \text{ where } y_t > 0,\qquad
        \hat y_{t+h} = (1 - \alpha / 2)\, z / p

    z is the size of a demand and p the interval between two, with :math:`q_t` the steps since the last one. Both begin
    at the means of training, and the n-th demand of a window counts 1/(n + 1) while that is more than :math:`\alpha`,
    so that what the window shows is averaged first. One :math:`\alpha` per channel has the least squared error one step
    ahead in training.

    Applies to: forecasts of values that are never negative, and 0 in at least 24 % of the steps of each channel.

    Cost: O(N) to solve; a step is O(1).

    References:
        Syntetos and Boylan, 2005. https://doi.org/10.1016/j.ijforecast.2004.10.001
    """

    name: ClassVar[str] = "croston"
    alpha: Tensor  # (C,)
    usual: Tensor  # (3, C): size and interval before a first demand, and the least size of a demand

    def __init__(self, task: Task, options: Part) -> None:
        super().__init__(task, options)
        self.register_buffer("alpha", torch.zeros_like(self.centre))
        self.register_buffer("usual", torch.zeros(3, len(self.centre)))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts of what is never negative and often 0."""
        if not forecasts(task, train) or train.by_window or train.units is None:
            return False
        demands, known = _demands(train), ~np.isnan(_values(train))
        zeros = (np.nan_to_num(demands, nan=1.0) == 0).sum(0) / np.maximum(known.sum(0), 1)
        return bool((np.nan_to_num(demands) >= 0).all() and (zeros >= _ZEROS).all() and (demands > 0).any(0).all())

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Choose alpha by the squared error one step ahead; nothing is drawn at random."""
        model, demands = cls(task, options), _demands(train)
        assert train.units is not None
        wanted = demands > 0
        sizes = np.array([channel[some].mean() for channel, some in zip(demands.T, wanted.T, strict=True)])
        least = np.array([channel[some].min() for channel, some in zip(demands.T, wanted.T, strict=True)])
        interval = (~np.isnan(demands)).sum(0) / wanted.sum(0)
        model.usual.copy_(torch.from_numpy(np.stack([sizes, interval, least / 2])))
        model._with_units(np.zeros(len(sizes)), -train.units.mean / train.units.std, np.ones(len(sizes)))
        missed = np.stack([model._squares(train, alpha) for alpha in _ALPHAS])  # (alphas, C)
        model.alpha.copy_(torch.tensor(_ALPHAS)[missed.argmin(0)])
        model._with_spread(train)
        return model

    @torch.no_grad()
    def _squares(self, train: Examples, alpha: float) -> np.ndarray:
        """(C,) the sum of squared errors one step ahead."""
        self.alpha.fill_(alpha)
        z, known = _padded(train, self.centre.numpy())
        state, total = self.begin(len(z)), torch.zeros_like(self.alpha, dtype=torch.float64)
        for t in range(z.shape[1]):
            error = z[:, t] - self.ahead(state)[:, 0]
            total += torch.where(known[:, t], error, 0.0).square().sum(0)
            state = self.update(z[:, t], known[:, t], state)
        return total.numpy()

    def begin(self, rows: int) -> Demand:
        """The state before the first step."""
        size, interval, _ = self.usual
        zeros = torch.zeros_like(size).repeat(rows, 1)
        return Demand(zeros, size.repeat(rows, 1), interval.repeat(rows, 1), zeros)

    def read(self, z: Tensor, known: Tensor, lengths: Tensor, state: Demand) -> Demand:
        """The state after the steps of each row."""
        found: Demand = step_by_step(self.update, z, known, lengths, state)
        return found

    def update(self, z: Tensor, known: Tensor, state: Demand) -> Demand:
        """One step."""
        wanted = known & (z > self.usual[2])
        gap = state.gap + 1
        weight = torch.maximum(self.alpha, 1 / (state.demands + 2)) * wanted
        return Demand(
            torch.where(wanted, 0.0, gap),
            state.size + weight * (z - state.size),
            state.interval + weight * (gap - state.interval),
            state.demands + wanted,
        )

    def ahead(self, state: Demand) -> Tensor:
        """The forecasts of z, the same for each step."""
        rate = (1 - self.alpha / 2) * state.size / state.interval.clamp(min=1)
        return rate[:, None].expand(-1, self.spread.shape[0], -1)


def _values(train: Examples) -> np.ndarray:
    assert train.target is not None
    return train.target.values


def _demands(train: Examples) -> np.ndarray:
    """(N, C) in standard deviations from 0 in the user's units; what rounding leaves of 0 is 0."""
    assert train.units is not None
    zero = train.units.mean / train.units.std
    demands = _values(train) + zero
    return np.where(np.abs(demands) < 1e-5 * (1 + np.abs(zero)), 0.0, demands)


def _padded(train: Examples, centre: np.ndarray) -> tuple[Tensor, Tensor]:
    """(R, N, C) z of the last steps of at most 300 series, and where it is known."""
    assert train.target is not None and train.target.offsets is not None
    lengths, ends = np.minimum(train.target.lengths(), _LONGEST), train.target.offsets[1:]
    rows = np.flatnonzero(lengths)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SERIES)).astype(np.int64))]
    z = np.full((len(rows), int(lengths[rows].max()), len(centre)), np.nan, np.float32)
    for place, row in enumerate(rows):
        z[place, : lengths[row]] = train.target.values[ends[row] - lengths[row] : ends[row]] - centre
    return torch.from_numpy(np.nan_to_num(z)), torch.from_numpy(~np.isnan(z))


MEMBER = Croston
