"""Seasonal ARIMA by least squares: residuals of a long autoregression stand for the errors, then the errors themselves.

Axes: R series, N steps, K lags of values, Q lags of errors, L lanes (orders that are refined).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import product

import numpy as np

from unrolled.solved._smoothing_fit import without_level

__all__ = ["Orders", "Solved", "choose"]

_REFINED, _ROUNDS = 8, 3  # orders that are refined, and how often
_LONG = 10  # lags of the long autoregression, besides those around a season
_ROOT = 0.995  # the largest root, of values and of errors
_STRONG = 0.64  # the share of the variance from which values are replaced by their change since the season before
_LEVEL = 0.463  # the statistic above which a series has no level, at 5 %
_RIDGE = 1e-8


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of a model, and whether its differences have a mean of their own.

    Attributes:
        relative: it reads logarithms.
        differences, seasonal: how often values are replaced by their change from the step, and from the season before.
        values, errors: the lags of these that it reads, in ascending order.
        constant: it adds a constant.
    """

    relative: bool
    differences: int
    seasonal: int
    values: tuple[int, ...]
    errors: tuple[int, ...]
    constant: bool

    def needs(self, period: int) -> int:
        """The values before the first that it can forecast."""
        return self.differences + self.seasonal * period + max(self.values, default=0)

    def difference(self, period: int) -> np.ndarray:
        """The polynomial of its differences, from lag 0."""
        found = np.ones(1)
        for _ in range(self.differences):
            found = np.convolve(found, [1.0, -1.0])
        for _ in range(self.seasonal):
            found = np.convolve(found, np.concatenate([[1.0], np.zeros(period - 1), [-1.0]]))
        return found


@dataclass(frozen=True, slots=True)
class Solved:
    """A solved model: z_t = constant + Σ values_k z_{t−k} + Σ errors_j e_{t−j} + e_t.

    Attributes:
        orders: its orders.
        criterion: AICc.
        constant, values (K,), errors (Q,): its weights.
    """

    orders: Orders
    criterion: float
    constant: float
    values: np.ndarray
    errors: np.ndarray


def choose(series: dict[bool, list[np.ndarray]], change: dict[bool, float], period: int, most: int) -> Solved:
    """The model with the least AICc.

    Args:
        series: by unit (``True``: logarithms), each (N,) without missing values.
        change: by unit, what turns a log density into that of the user's values.
        period: the steps of a season; 1 for none.
        most: the most values that a model may need before its first forecast.
    """
    least = min(most, max(1, max(map(len, series[False])) // 3))
    seasonal = period > 1 and float(np.median([_strength(z, period) for z in series[False]])) > _STRONG
    orders: list[Orders] = []
    for m, strong in ((period, seasonal), (1, False)):
        changes = _changes(series[False], m if strong else 0)
        orders = orders or [one for one in _orders(list(series), m, strong, changes) if one.needs(m) <= least]
    start = max(one.needs(period) for one in orders)
    ranked: list[tuple[float, int, Orders, np.ndarray]] = []
    for kind in dict.fromkeys((one.relative, one.differences, one.seasonal) for one in orders):
        own = [one for one in orders if (one.relative, one.differences, one.seasonal) == kind]
        changed = [np.convolve(z, own[0].difference(period), "valid") for z in series[kind[0]]]
        errors = [_long_residuals(w, period) for w in changed]
        for one in own:
            weights, squares, count = _regress(changed, errors, one, period, start)
            heapq.heappush(ranked, (_criterion(squares, count, one, change), len(ranked), one, weights))
    refined = (
        _refined(series, change, order, weights, period, start)
        for *_, order, weights in heapq.nsmallest(_REFINED, ranked)
    )
    return min((one for found in refined for one in found), key=lambda one: one.criterion)


def _strength(z: np.ndarray, period: int) -> float:
    """The share of the variance around the moving level that the mean season explains."""
    around = without_level(z, period)
    phase = np.arange(len(z)) % period
    pattern = np.bincount(phase, around, period) / np.maximum(np.bincount(phase, minlength=period), 1)
    return 1 - float(np.var(around - pattern[phase])) / max(float(np.var(around)), 1e-12)


def _changes(series: list[np.ndarray], lag: int) -> int:
    """How often values must be replaced by their change until most series are level: at most 2, 1 after a season's."""
    changed = [z[lag:] - z[:-lag] if 0 < lag < len(z) else z for z in series]
    for found in range(1 if lag else 2):
        if float(np.median([_wanders(z) for z in changed])) <= _LEVEL:
            return found
        changed = [np.diff(z) for z in changed]
    return 1 if lag else 2


def _wanders(z: np.ndarray) -> float:
    """The statistic of Kwiatkowski, Phillips, Schmidt and Shin (1992): large where there is no level."""
    if len(z) < 4:
        return 0.0
    apart = z - z.mean()
    most = int(3 * np.sqrt(len(z)) / 13)
    weights = [1 - lag / (most + 1) for lag in range(1, most + 1)]
    long_run = apart @ apart + 2 * sum(w * (apart[lag:] @ apart[:-lag]) for lag, w in enumerate(weights, 1))
    return float(np.square(np.cumsum(apart)).sum() / max(len(z) * long_run, 1e-12))


def _orders(units: list[bool], period: int, strong: bool, d: int) -> list[Orders]:
    found = []
    s, seasons = int(strong), (0, 1) if period > 1 else (0,)
    for unit, p, q, far, echo in product(units, range(4), range(3), seasons, seasons):
        values = (*range(1, p + 1), *(period + lag for lag in range(p + 1) if far))
        errors = (*range(1, q + 1), *(period + lag for lag in range(q + 1) if echo))
        constants = ((True,), (False, True), (False,))[min(d + s, 2)]
        lags = tuple(sorted(set(values))), tuple(sorted(set(errors)))
        found += [Orders(unit, d, s, *lags, constant) for constant in constants]
    return list(dict.fromkeys(found))


def _long_residuals(w: np.ndarray, period: int) -> np.ndarray:
    """What a long autoregression leaves of the differences; 0 before its first forecast."""
    most = len(w) // 3
    around = (period - 1, period, period + 1, 2 * period) if period > 1 else ()
    lags = [lag for lag in sorted({*range(1, _LONG + 1), *around}) if 0 < lag <= most]
    if not lags:
        return w - w.mean()
    x = np.stack([*(w[lags[-1] - lag : len(w) - lag] for lag in lags), np.ones(len(w) - lags[-1])], 1)
    right = w[lags[-1] :]
    return np.concatenate([np.zeros(lags[-1]), right - x @ _least_squares(x, right)])


def _regress(
    changed: list[np.ndarray], errors: list[np.ndarray], orders: Orders, period: int, start: int
) -> tuple[np.ndarray, float, int]:
    """Weights of (values, errors, constant), the sum of squares left, and how many values were forecast.

    Args:
        changed: the differences of each series.
        errors: their errors.
        orders: which lags are read.
        period: the steps of a season.
        start: the first value of a series that is forecast.
    """
    first = start - (len(orders.difference(period)) - 1)
    rows, right = [], []
    for w, e in zip(changed, errors, strict=True):
        if len(w) > first:
            columns = [w[first - lag : len(w) - lag] for lag in orders.values]
            columns += [np.concatenate([np.zeros(lag), e])[first : len(e)] for lag in orders.errors]
            columns += [np.ones(len(w) - first)] * orders.constant
            rows.append(np.stack(columns, 1) if columns else np.zeros((len(w) - first, 0)))
            right.append(w[first:])
    x, y = np.concatenate(rows), np.concatenate(right)
    weights = _least_squares(x, y)
    return weights, float(np.square(y - x @ weights).sum()), len(y)


def _least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    gram = x.T @ x
    ridge = _RIDGE * (np.trace(gram) / max(1, len(gram)) + 1e-12)
    return np.asarray(np.linalg.solve(gram + ridge * np.eye(len(gram)), x.T @ y))


def _criterion(squares: float, count: int, orders: Orders, change: dict[bool, float]) -> float:
    free = 1 + len(orders.values) + len(orders.errors) + orders.constant
    penalty = 2 * free + 2 * free * (free + 1) / max(count - free - 1, 0.5)
    return count * float(np.log(max(squares / count, 1e-12))) + count * change[orders.relative] + penalty


def _refined(
    series: dict[bool, list[np.ndarray]],
    change: dict[bool, float],
    orders: Orders,
    weights: np.ndarray,
    period: int,
    start: int,
) -> list[Solved]:
    """The model after each round in which its own errors replaced those before."""
    changed = [np.convolve(z, orders.difference(period), "valid") for z in series[orders.relative]]
    first = start - (len(orders.difference(period)) - 1)
    found = []
    for _ in range(_ROUNDS):
        weights = _inside(orders, weights)
        errors = [_errors(w, orders, weights) for w in changed]
        scored = [e[first:] for e in errors if len(e) > first]
        squares, count = float(sum(np.square(e).sum() for e in scored)), sum(map(len, scored))
        constant = float(weights[-1]) if orders.constant else 0.0
        values, echoes = _dense(orders, weights, period)
        found.append(Solved(orders, _criterion(squares, count, orders, change), constant, values, echoes))
        if not orders.errors:
            break
        weights, _, _ = _regress(changed, errors, orders, period, start)
    return found


def _errors(w: np.ndarray, orders: Orders, weights: np.ndarray) -> np.ndarray:
    """(N,) the errors one step ahead; 0 before the first forecast."""
    constant = weights[-1] if orders.constant else 0.0
    begin = max(orders.values, default=0)
    error = w - constant
    for lag, weight in zip(orders.values, weights, strict=False):
        error[lag:] -= weight * w[:-lag]
    error[:begin] = 0
    if orders.errors:
        echoes = list(zip(orders.errors, weights[len(orders.values) :].tolist(), strict=False))
        listed = error.tolist()
        for t in range(begin, len(listed)):
            listed[t] -= sum(weight * listed[t - lag] for lag, weight in echoes if lag <= t)
        error = np.array(listed)
    return error


def _inside(orders: Orders, weights: np.ndarray) -> np.ndarray:
    """The weights, drawn in where values or errors of long ago would grow: a root r becomes 0.995."""
    drawn, many = weights.copy(), len(orders.values)
    for lags, at, sign in ((orders.values, 0, 1), (orders.errors, many, -1)):
        part = slice(at, at + len(lags))
        root = _largest_root(lags, sign * weights[part])
        if root > _ROOT:
            drawn[part] *= (_ROOT / root) ** np.array(lags)
    return drawn


def _largest_root(lags: tuple[int, ...], weights: np.ndarray) -> float:
    if not lags:
        return 0.0
    if np.abs(weights).sum() < _ROOT:
        return float(np.abs(weights).sum())  # at most
    companion = np.eye(max(lags), k=-1)
    companion[0, np.array(lags) - 1] = weights
    return float(np.abs(np.linalg.eigvals(companion)).max())


def _dense(orders: Orders, weights: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray]:
    """The weights of lags 1 … of values themselves, not of their differences, and of errors."""
    polynomial = np.zeros(1 + max(orders.values, default=0))
    polynomial[0] = 1
    polynomial[list(orders.values)] = -weights[: len(orders.values)]
    echoes = np.zeros(max(orders.errors, default=0))
    echoes[np.array(orders.errors, int) - 1] = weights[len(orders.values) : len(orders.values) + len(orders.errors)]
    return -np.convolve(polynomial, orders.difference(period))[1:], echoes
