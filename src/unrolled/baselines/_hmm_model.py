"""A hidden Markov model of the columns of a split, learned from known states or only from observations.

Axes: N steps, S states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from unrolled.baselines._emissions import Emission, Gaussian, Symbols
from unrolled.baselines._hmm import Packed, backward, forward, maximise, posterior, transitions
from unrolled.batch import MISSING, Discrete, Spec

__all__ = ["Model"]

Columns = dict[str, np.ndarray]  # name -> (N,) symbols or (N, W) numbers, the rows end to end

_CHUNK = 1 << 16  # steps whose one-hot states are held in memory at a time
_SMOOTHING = 0.01  # pseudo counts, as a share of the average number of steps per state
_ITERATIONS, _ENOUGH = 20, 1e-5  # of Baum–Welch; it stops below this relative gain in log-likelihood


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A hidden Markov model: p(z_1), p(z_t | z_{t-1}) and each column's emissions, independent given the state."""

    pi: np.ndarray
    A: np.ndarray
    emissions: dict[str, Emission]

    def score(self, columns: Columns, packed: Packed) -> np.ndarray:
        """(N, S) log p(x_t | z_t), packed."""
        parts = [emission.score(columns[name][packed.steps]) for name, emission in self.emissions.items()]
        return np.asarray(sum(parts[1:], start=parts[0]))

    @classmethod
    def of_states(cls, columns: Columns, specs: dict[str, Spec], packed: Packed, states: np.ndarray, size: int) -> Self:
        """Fit by counting known states.

        Counts are smoothed towards the overall frequencies of the states, so that an unseen symbol favours no state.

        Args:
            columns: the observations.
            specs: the format of each column.
            packed: the rows.
            states: (N,) 0 … S - 1, or `MISSING`, in the order of the columns.
            size: S.
        """
        states = states[packed.steps].astype(np.int64)
        of_all = np.bincount(states[states != MISSING], minlength=size) + 1.0
        of_all /= of_all.sum()
        before = packed.before()
        first, i, j = states[: packed.sizes[:1].sum()], states[before], states[len(states) - len(before) :]
        known = (i != MISSING) & (j != MISSING)
        pairs = np.bincount(i[known] * size + j[known], minlength=size * size).reshape(size, size)
        starts = np.bincount(first[first != MISSING], minlength=size)
        gathered: dict[str, np.ndarray] = {}
        for at in range(0, len(states), _CHUNK):
            gamma = (states[at : at + _CHUNK, None] == np.arange(size)).astype(np.float64)
            _gather(gathered, columns, specs, packed.steps[at : at + _CHUNK], gamma)
        emissions = {name: _fit(specs[name], counts, of_all[:, None]) for name, counts in gathered.items()}
        return cls(maximise(starts, of_all), maximise(pairs, of_all), emissions)

    @classmethod
    def of_observations(cls, columns: Columns, specs: dict[str, Spec], packed: Packed, size: int) -> Self:
        """Fit by Baum–Welch from a random start with a fixed seed."""
        random = np.random.default_rng(0)
        gathered: dict[str, np.ndarray] = {}
        _gather(gathered, columns, specs, packed.steps, np.ones((len(packed.steps), 1)))
        frequencies: dict[str, np.ndarray] = {}
        emissions: dict[str, Emission] = {}
        for name, spec in specs.items():
            if isinstance(spec, Discrete):
                frequencies[name] = (gathered[name] + 1) / (gathered[name] + 1).sum()
                emissions[name] = Symbols.fit(frequencies[name] * random.exponential(1.0, (size, spec.size)))
            else:
                whole = Gaussian.fit(gathered[name])
                mean = whole.mean + np.sqrt(whole.variance) * random.normal(size=(size, spec.width))
                emissions[name] = Gaussian(mean, np.repeat(whole.variance, size, 0))
        model = cls(np.log(np.full(size, 1 / size)), np.log(random.dirichlet(np.full(size, 0.5), size)), emissions)
        before, pseudo = -np.inf, max(1.0, _SMOOTHING * len(packed.steps) / size)
        for _ in range(_ITERATIONS):
            model, likelihood = model.improved(columns, specs, packed, frequencies, pseudo)
            if likelihood - before < _ENOUGH * abs(likelihood):
                break
            before = likelihood
        return model

    def improved(
        self,
        columns: Columns,
        specs: dict[str, Spec],
        packed: Packed,
        frequencies: Mapping[str, float | np.ndarray],
        pseudo: float,
    ) -> tuple[Self, float]:
        """The model after one iteration of Baum–Welch, and the log-likelihood before it.

        Args:
            columns: the observations.
            specs: the format of each column.
            packed: the rows.
            frequencies: the frequency of each symbol of a column, to smooth towards.
            pseudo: the weight of the smoothing in steps; 0 gives the maximum-likelihood estimate.
        """
        b = self.score(columns, packed)
        alpha, beta = forward(self.pi, self.A, b, packed.sizes), backward(self.A, b, packed.sizes)
        gamma, likelihood = posterior(alpha, beta, packed)
        gamma = np.exp(gamma)
        gathered: dict[str, np.ndarray] = {}
        _gather(gathered, columns, specs, packed.steps, gamma)
        emissions = {name: _fit(specs[name], gathered[name], pseudo * frequencies.get(name, 0.0)) for name in specs}
        starts = gamma[: packed.sizes[:1].sum()].sum(0)
        xi = transitions(self.A, b, alpha, beta, packed)
        evenly = pseudo / len(self.pi)
        return type(self)(maximise(starts, evenly), maximise(xi, evenly), emissions), float(likelihood.sum())


def _gather(
    gathered: dict[str, np.ndarray], columns: Columns, specs: dict[str, Spec], steps: np.ndarray, gamma: np.ndarray
) -> None:
    """Add the statistics of ``steps`` to those of each column."""
    for name, spec in specs.items():
        values = columns[name][steps]
        here = (
            Symbols.statistics(values, gamma, spec.size)
            if isinstance(spec, Discrete)
            else Gaussian.statistics(values, gamma)
        )
        gathered[name] = gathered[name] + here if name in gathered else here


def _fit(spec: Spec, statistics: np.ndarray, pseudo: float | np.ndarray) -> Emission:
    return Symbols.fit(statistics, pseudo) if isinstance(spec, Discrete) else Gaussian.fit(statistics)
