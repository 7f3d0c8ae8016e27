"""Seasonal ARIMA: the next value from the values and errors of some steps, and of a season, before."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor

from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.layers.graph import Value, concat, where
from unrolled.solved._arima_fit import Solved, choose
from unrolled.solved._forecaster import Forecaster, forecasts
from unrolled.solved._training_series import centres, data_of, filled, groups_of, least, season_in, series_of
from unrolled.tasks.task import Task

__all__ = ["Arima", "Past"]


class Past(NamedTuple):
    """The state.

    Attributes:
        steps: (B, C) int64, the steps since the first known value.
        values: (B, C, K), the last values, the newest first; a missing one is its forecast.
        errors: (B, C, Q), the errors of their forecasts.
    """

    steps: Tensor
    values: Tensor
    errors: Tensor


class Arima(Forecaster):
    r"""Seasonal ARIMA of each channel, its orders chosen by AICc.

    .. math:: w_t = c + \sum_i \phi_i w_{t-i} + \sum_j \theta_j e_{t-j} + e_t,\qquad
        w_t = (1 - B)^d (1 - B^m)^D z_t

    Lags of values are 1 … p and, if the season has its own, m … m + p; those of errors 1 … q and m … m + q; p is at
    most 3 and q 2. D is 1 if the season explains 64 % of the variance around the level, and d counts the changes until
    the KPSS test finds a level. Where all values are positive, logarithms are tried as well. The weights are those of
    Hannan and Rissanen: least squares on the residuals of a long autoregression, then on the model's own errors. They
    are drawn in where values or errors would grow. Up to 16 channels each have their own orders; more share theirs.
    With d = 1 and no lags it is the last value, and with a constant the drift.

    Until a window holds the values that its lags reach, the answer is the last season, or the last value.

    Applies to: forecasts, from 6 known values on.

    Cost: solving O(400 N) for at most 60 000 values; a step is O(K + Q), a forecast O(H (K + Q)), with K up to
    2 m + 4.

    References:
        Hannan and Rissanen, 1982. https://doi.org/10.1093/biomet/69.1.81
        Box, Jenkins and Reinsel, Time Series Analysis, 1994.
    """

    name: ClassVar[str] = "arima"
    effort = 2

    class Options(Part):
        """Sizes that the data decides: the steps of a season, the lags of values and of errors, sets of weights."""

        period: int | None = None
        values: int | None = None
        errors: int | None = None
        lanes: int | None = None

    constant: Tensor  # (L,)
    values: Tensor  # (L, K)
    errors: Tensor  # (L, Q)
    needs: Tensor  # (L,) the values before a first forecast

    def __init__(self, task: Task, options: Arima.Options) -> None:
        super().__init__(task, options)
        lanes, period = options.lanes or 1, options.period or 1
        self.period = period
        for name, shape in (
            *(("constant", (lanes,)), ("needs", (lanes,))),
            *(("values", (lanes, max(period, options.values or 1))), ("errors", (lanes, max(1, options.errors or 1)))),
        ):
            self.register_buffer(name, torch.zeros(shape))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts."""
        return forecasts(task, train)

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Choose the orders of each channel, or those that many share; nothing is drawn at random."""
        assert train.target is not None
        channels, groups = train.target.values.shape[1], groups_of(train)
        period = season_in([z for group in groups for z in series_of(train, group[0])], task.coder.season)
        found = [_solved(train, group, period, task.batching.lookback) for group in groups]
        sizes = {"values": max(len(one.values) for one in found), "errors": max(len(one.errors) for one in found)}
        model = cls(task, options.model_copy(update={**sizes, "period": period, "lanes": len(groups)}))
        for lane, one in enumerate(found):
            model.constant[lane], model.needs[lane] = one.constant, len(one.values)
            model.values[lane, : len(one.values)] = torch.from_numpy(one.values)
            model.errors[lane, : len(one.errors)] = torch.from_numpy(one.errors)
        logs = np.array([one.orders.relative for one in found] * (channels if len(groups) == 1 else 1))
        middles = [centres(train, channel)[int(log)] for channel, log in enumerate(logs)]
        lowest = [least(train, channel) / 10 if log else 1.0 for channel, log in enumerate(logs)]
        model._with_units(logs, np.array(middles), np.array(lowest))
        model._with_spread(train)
        return model

    def begin(self, rows: int) -> Past:
        """The state before the first step."""
        zeros = self.centre.new_zeros(rows, len(self.centre))
        values, errors = (zeros.new_zeros(*zeros.shape, part.shape[1]) for part in (self.values, self.errors))
        return Past(zeros.long(), values, errors)

    def read(self, z: Tensor, known: Tensor, lengths: Tensor, state: Past) -> Past:
        """The state after the steps of each row, computed by the CPU."""
        value, there = (part.permute(1, 2, 0).cpu().numpy() for part in (z, known))
        steps, values, errors = self._longer(state, value, there, lengths.cpu().numpy())
        ends, device = lengths.cpu().numpy(), z.device

        def newest(
            past: np.ndarray, most: int
        ) -> Tensor:  # (most + T, C, B) to (B, C, most) before the end of each row
            held = ends[:, None] + np.arange(most)[::-1]
            return torch.from_numpy(past[held, :, np.arange(len(ends))[:, None]]).to(device).transpose(1, 2)

        after = torch.from_numpy(steps.T.copy()).to(device)
        return Past(after, newest(values, self.values.shape[1]), newest(errors, self.errors.shape[1]))

    def read_graph(self, z: Value, known: Value, real: Value, state: Any) -> Any:
        """See `Forecaster`."""

        def body(before: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
            (steps, values, errors), (value, there, here) = before, now
            expected, able = self._expected(steps, values, errors)
            started = there | (steps > 0)
            error = where(there & able, value - expected, 0.0)
            value = where(there, value, where(started, expected, 0.0))
            row = here.unsqueeze(1)
            kept = [where(row & started, steps + 1, steps)]
            for past, new in ((values, value), (errors, error)):
                kept.append(where(row.unsqueeze(2), _pushed(past, new), past))
            return kept, [value]

        after, _ = z.graph.scan(list(state), [z, known, real], body)
        return Past(*cast(Any, after))

    def ahead_graph(self, state: Any) -> Value:
        """See `Forecaster`."""
        steps, values, errors = state
        g, (horizon, channels, _) = values.graph, self.spread.shape
        nothing = g.constant(np.float32(0)).expand(values.size(0), horizon, channels)

        def body(before: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
            values, errors = before
            expected, _ = self._expected(steps, values, errors)
            return [_pushed(values, expected), _pushed(errors, now[0])], [expected]

        return g.scan([values, errors], [nothing], body)[1][0]

    def _expected(self, steps: Value, values: Value, errors: Value) -> tuple[Value, Value]:
        """(B, C): the next value, and whether so many are known that the weights give it."""
        g = values.graph
        found = (values * g.constant(self.values)).sum(2) + (errors * g.constant(self.errors)).sum(2)
        able = steps.to(np.float32) >= g.constant(self.needs)
        season, last = (values.part(at, at + 1, 2).squeeze(2) for at in (self.period - 1, 0))
        before = where(steps >= self.period, season, last)
        return where(able, found + g.constant(self.constant), before), able

    def ahead(self, state: Past) -> Tensor:
        """The forecasts of z, each from those before it."""
        shape = (self.spread.shape[0], *state.steps.T.shape)
        _, values, _ = self._longer(state, np.zeros(shape, np.float32), None, np.full(shape[2], shape[0]))
        found = np.ascontiguousarray(values[-shape[0] :].transpose(2, 0, 1))
        return torch.from_numpy(found).to(state.steps.device)

    def _longer(
        self, state: Past, z: np.ndarray, known: np.ndarray | None, lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The steps (C, B), and values and errors with those of T more steps (K + T, C, B), the oldest first.

        A value that is not ``known`` is its forecast; ``None``: none is, and nothing is learned from the steps.
        """
        steps = state.steps.T.cpu().numpy().copy()
        values, errors = (
            np.concatenate([past.permute(2, 1, 0).flip(0).cpu().numpy(), np.zeros_like(z)]) for past in state[1:]
        )
        many, late = len(values) - len(z), len(errors) - len(z)
        reads = [_Lags.of(weights.cpu().numpy()) for weights in (self.values, self.errors)]
        constant, needs = (part.cpu().numpy()[:, None] for part in (self.constant, self.needs))
        real = np.arange(len(z))[:, None] < lengths  # (T, B)
        full: list[bool] = [False] * len(z)
        if known is not None:
            full = np.all(known | ~real[:, None], axis=(1, 2)).tolist()
        ready = False
        for t, value in enumerate(z):
            expected = constant + reads[0].sums(values, many + t) + reads[1].sums(errors, late + t)
            able = steps >= needs
            ready = ready or bool(able.all())
            if ready and full[t]:
                errors[late + t], values[many + t] = value - expected, value
                steps += real[t]
                continue
            if not ready:
                before = np.where(steps >= self.period, values[many + t - self.period], values[many + t - 1])
                expected = np.where(able, expected, before)
            if known is None:
                values[many + t] = expected
                continue
            started = known[t] | (steps > 0)
            errors[late + t] = np.where(known[t] & able, value - expected, 0)
            values[many + t] = np.where(known[t], value, np.where(started, expected, 0))
            steps += started & real[t]
        return steps, values, errors


def _pushed(past: Value, new: Value) -> Value:
    """(B, C, K), the newest first, with ``new`` (B, C) in front."""
    return concat([new.unsqueeze(2), past], 2).part(0, past.size(2), 2)


class _Lags(NamedTuple):
    """The lags whose weights are not all 0, and these weights, (lags, L, 1)."""

    lags: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray) -> _Lags:
        """From (L, K), by lag."""
        lags = np.flatnonzero((weights != 0).any(0))
        return cls(1 + lags, weights[:, lags].T[..., None])

    def sums(self, past: np.ndarray, end: int) -> np.ndarray:
        """(L, B): the values before place ``end`` of ``past`` (steps, L, B), weighted."""
        return (self.weights * past[end - self.lags]).sum(0)


def _solved(train: Examples, group: list[int], period: int, lookback: int) -> Solved:
    data = data_of(train, group, period)
    series = {unit: [filled(z[: _length(z)]) for z in values] for unit, values in data.values.items()}
    count = sum(max(0, len(z) - 1) for z in series[False])
    change = {unit: 2 * total / max(1, count) for unit, total in data.change.items()}
    return choose(series, change, period, max(1, 2 * lookback // 3))


def _length(z: np.ndarray) -> int:
    return int(np.flatnonzero(~np.isnan(z))[-1]) + 1


MEMBER = Arima
