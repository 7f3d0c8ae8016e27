"""The parameters of exponential smoothing: those under which the training series are most likely.

Axes: R series, N steps, M steps of a season, D directions of the first state, L lanes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from unrolled.solved._smoothing import Smoother, gains
from unrolled.solved._smoothing_errors import Lanes, joined, squares

__all__ = ["Data", "Found", "Prior", "Tried", "best", "prior", "smoother", "tried", "without_level"]

_LEVEL = 1e6  # the variance of the first level, in variances of an error: nothing is known of it
_WAVES = 16  # waves of which a season is made at most
_KEPT, _AROUND, _ROUNDS = 3, 12, 4  # forms that are refined, points around the best of each, rounds
_WEIGHTS = ("alpha", "beta", "gamma", "phi", "drift", "relative")
_LOW = {"alpha": 0.002, "beta": 1e-4, "gamma": 1e-4, "phi": 0.8}
_HIGH = {"alpha": 0.999, "beta": 0.9, "gamma": 0.95, "phi": 0.995}


class Prior(NamedTuple):
    """What is known of a state before its first value.

    Attributes:
        basis: (2 + M, D), directions.
        spread: (D,), the variance along each.
        error: the variance of an error, a first guess.
    """

    basis: np.ndarray
    spread: np.ndarray
    error: float


@dataclass(frozen=True, slots=True)
class Tried:
    """Parameters that are tried for one form of smoothing, a lane each.

    Attributes:
        trend: ``none``, ``additive`` or ``damped``.
        season, relative, drifts: whether it has a season, reads logarithms, and follows the line through all values.
        free: (L, P) in (0, 1): alpha, beta as a share of alpha, gamma as a share of 1 - alpha, phi, drift.
    """

    trend: str
    season: bool
    relative: bool
    drifts: bool
    free: np.ndarray

    def weights(self) -> dict[str, np.ndarray]:
        """(L,) of each weight of a `Smoother`."""
        alpha, beta, gamma, phi, drift = self.free.T
        zero, one = np.zeros(len(alpha)), np.ones(len(alpha))
        return {
            "alpha": alpha,
            "beta": zero if self.trend == "none" else alpha * beta,
            "gamma": (1 - alpha) * gamma if self.season else zero,
            "phi": phi if self.trend == "damped" else one,
            "drift": drift if self.drifts else zero,
            "relative": np.full(len(alpha), self.relative),
            "season": np.full(len(alpha), self.season),
        }

    @property
    def parameters(self) -> int:
        """How many are fitted: with the variance of the errors and, for a season, two for the spread of its waves."""
        return 2 + {"none": 0, "additive": 1, "damped": 2}[self.trend] + 3 * self.season + self.drifts


class Found(NamedTuple):
    """The best parameters: one lane, its AICc, and the variance of its errors."""

    form: Tried
    criterion: float
    error: float


def tried(trend: str, season: bool, relative: bool, drifts: bool = False) -> Tried:
    """A first choice of parameters of a form."""
    alphas = (0.03, 0.1, 0.25, 0.5, 0.75, 0.95)
    betas = (0.5,) if trend == "none" else (0.003, 0.03, 0.2)
    gammas = (0.003, 0.15) if season else (0.5,)
    phis = (0.9, 0.97) if trend == "damped" else (0.9,)
    drifted = (0.0, 0.5, 1.0) if drifts else (0.0,)
    grid = np.meshgrid(alphas, betas, gammas, phis, drifted, indexing="ij")
    return Tried(trend, season, relative, drifts, np.stack([part.ravel() for part in grid], 1))


def prior(series: list[np.ndarray], period: int) -> Prior:
    """What training shows about the first state of a window: how steep it is, and the waves of its season.

    Where in its season a window begins is not known, so a wave has the same variance at each phase.

    Args:
        series: each (N,), without missing values.
        period: M; 1 for none.
    """
    span = max(1, min(max(period, 8), min(map(len, series)) // 2))
    slopes = np.concatenate([(z[span:] - z[:-span])[::span] / span for z in series])
    apart = np.concatenate([np.diff(z) for z in series])
    error = max(float(np.var(apart)) / 2, 1e-8)
    rising = max(float(np.square(slopes).mean()), 1e-4 * error)
    basis, spread = [np.eye(2 + period)[0], np.eye(2 + period)[1]], [np.inf, rising]
    if period > 1:
        waves, power, error = _waves(series, period)
        basis, spread = [*basis, *np.concatenate([np.zeros((len(waves), 2)), waves], 1)], [*spread, *power]
    return Prior(np.stack(basis, 1), np.array(spread), error)


def _waves(series: list[np.ndarray], period: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The strongest waves of the season, (D, M), the variance of each, and that of what is left."""
    shortened = [without_level(z, period) for z in series]
    powers, left, seasons = [], [], 0.0
    for z in shortened:
        phase = np.arange(len(z)) % period
        counts = np.maximum(np.bincount(phase, minlength=period), 1)
        pattern = np.bincount(phase, z, minlength=period) / counts
        powers.append(np.abs(np.fft.rfft(pattern - pattern.mean())) ** 2)
        left.append(z - pattern[phase])
        seasons += len(z) / period
    many = max(seasons / len(series), 1.0)
    noise = float(np.var(np.concatenate(left))) * many / max(many - 1, 0.5)
    k = np.arange(period // 2 + 1)
    single = 2 * k == period  # the fastest wave of an even season has one phase
    variance = np.mean(powers, 0) * np.where(single, 1, 2) / period**2
    chance = 2 * noise / (period * many)
    variance = np.maximum(variance - chance, 0.05 * chance)
    chosen = 1 + np.argsort(-variance[1:], kind="stable")[:_WAVES]
    time = 2 * np.pi * np.arange(period) / period
    waves = [turned(wave * time) for wave in chosen for turned in (np.cos, np.sin)]
    return np.array(waves), np.repeat(variance[chosen], 2), max(noise / 2, 1e-8)


def without_level(z: np.ndarray, period: int) -> np.ndarray:
    """The values less the mean of the season around each; at both ends less that of the nearest season."""
    sums = np.concatenate([[0.0], np.cumsum(z)])
    begin = np.clip(np.arange(len(z)) - period // 2, 0, max(0, len(z) - period))
    end = np.minimum(begin + period, len(z))
    centre = (sums[end] - sums[begin]) / (end - begin)
    # An even window leans to one side by half a step.
    if period % 2 == 0 and len(z) > period:
        later = np.minimum(begin + 1, len(z) - period)
        centre = (centre + (sums[later + period] - sums[later]) / period) / 2
    return z - centre


@dataclass(frozen=True, slots=True)
class Data:
    """The training series of one channel: in their own unit (``False``), and their logarithms (``True``).

    Attributes:
        values: (R, N), padded with NaN to the right; no series begins with NaN.
        change: what turns the log density of the values into that of the user's, over all but the first of a series.
        known: what is known of the first state.
    """

    values: dict[bool, np.ndarray]
    change: dict[bool, float]
    known: dict[bool, Prior]

    def spread(self, weights: dict[str, np.ndarray], errors: dict[bool, float]) -> np.ndarray:
        """(L, D), the variances of the first state of each lane, in variances of an error."""
        own = [self.known[bool(unit)].spread / errors[bool(unit)] for unit in weights["relative"]]
        spread = np.where(np.isinf(own), _LEVEL, own)
        spread[:, 1] *= weights["beta"] > 0  # without a trend there is none at the start
        spread[:, 2:] *= weights["season"][:, None]
        return spread


def smoother(data: Data, found: Found, steps: int) -> Smoother:
    """The `Smoother` of one lane, in float64, with its first ``steps`` corrections."""
    form, errors = found.form, {found.form.relative: found.error}
    weights, basis = form.weights(), data.known[form.relative].basis[None]
    early = [more.T for more, _ in islice(gains(weights, basis, data.spread(weights, errors)), steps)]
    alpha, beta, gamma, phi, drift, relative = (torch.as_tensor(weights[name]) for name in _WEIGHTS)
    return Smoother(alpha, beta, gamma, phi, drift, relative, torch.from_numpy(np.stack(early, 1)))


def best(channels: list[Data], forms: list[list[Tried]], steps: int, seed: int) -> list[Found]:
    """For each channel the form with the least AICc, with its best parameters.

    A grid of parameters, then points around the best of each good form. All channels are judged together.

    Args:
        channels: the training series of each.
        forms: what to try for each.
        steps: early steps.
        seed: of the points around.
    """
    randoms = [np.random.default_rng(seed) for _ in channels]
    errors = [{unit: known.error for unit, known in data.known.items()} for data in channels]
    found = _judged(channels, forms, errors, steps)
    for turn in range(_ROUNDS):
        near = []
        for own, error, random in zip(found, errors, randoms, strict=True):
            # The variance of the errors decides the first corrections, and is known better each time.
            error |= {one.form.relative: one.error for one in reversed(own)}
            kept = [one.form for one in own[:_KEPT]]
            near.append([replace(form, free=_around(form.free, 0.8 * 0.6**turn, random)) for form in kept])
        found = _judged(channels, near, errors, steps)
    return [own[0] for own in found]


def _judged(
    channels: list[Data], forms: list[list[Tried]], errors: list[dict[bool, float]], steps: int
) -> list[list[Found]]:
    """For each channel the best lane of each form by AICc, the best form first; the first values are not scored.

    Args:
        channels, forms, steps: as for `best`.
        errors: the variances of an error for which the first corrections are solved.
    """
    sets = [values for data in channels for values in data.values.values()]
    begins = np.cumsum([0, *(len(data.values) for data in channels)])
    parts = []
    for begin, data, own, error in zip(begins, channels, forms, errors, strict=False):
        each = [form.weights() for form in own]
        weights = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
        basis = np.stack([data.known[bool(unit)].basis for unit in weights["relative"]])
        parts.append(Lanes(weights, basis, data.spread(weights, error), begin + weights["relative"].astype(np.int64)))
    missed, variance = squares(joined(parts), _stacked(sets), min(steps, max(values.shape[1] for values in sets)))
    cuts = np.cumsum([len(part.source) for part in parts])[:-1]
    parted = zip(channels, forms, np.split(missed, cuts), np.split(variance, cuts), strict=True)
    return [_ranked(*one) for one in parted]


def _stacked(sets: list[np.ndarray]) -> np.ndarray:
    """(S, R, N), padded with NaN."""
    found = np.full((len(sets), *(max(values.shape[axis] for values in sets) for axis in (0, 1))), np.nan)
    for place, values in enumerate(sets):
        found[place, : values.shape[0], : values.shape[1]] = values
    return found


def _ranked(data: Data, forms: list[Tried], missed: np.ndarray, variance: np.ndarray) -> list[Found]:
    """The best lane of each form, from the squares of its errors (L,) and the variances of the first (L, T)."""
    there, many = ~np.isnan(data.values[False]), [len(form.free) for form in forms]
    count, scored = int(there[:, 1:].sum()), there[:, 1 : variance.shape[1]].sum(0)
    logs = np.log(variance[:, 1 : 1 + len(scored)]) @ scored
    error = np.maximum(missed / max(count, 1), 1e-12)
    change = np.repeat([data.change[form.relative] for form in forms], many)
    free = np.repeat([form.parameters for form in forms], many)
    penalty = 2 * free + 2 * free * (free + 1) / np.maximum(count - free - 1, 0.5)
    criteria = count * np.log(error) + logs + 2 * change + penalty
    found, begin = [], 0
    for form, lanes in zip(forms, many, strict=True):
        lane = begin + int(np.nanargmin(criteria[begin : begin + lanes]))
        chosen = replace(form, free=form.free[lane - begin : lane - begin + 1])
        found.append(Found(chosen, float(criteria[lane]), float(error[lane])))
        begin += lanes
    return sorted(found, key=lambda one: one.criterion)


def _around(free: np.ndarray, width: float, random: np.random.Generator) -> np.ndarray:
    """A point (1, P) and others around it, moved on the scale of log-odds."""
    low, high = (np.array([*bounds.values(), drift]) for bounds, drift in ((_LOW, 0.0), (_HIGH, 1.0)))
    share = np.clip((free - low) / (high - low), 0.002, 0.998)
    odds = np.log(share / (1 - share)) + width * random.standard_normal((_AROUND, free.shape[1]))
    return np.concatenate([free, low + (high - low) / (1 + np.exp(-odds))])
