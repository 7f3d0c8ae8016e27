"""Which units follow something that can be said of the steps, and whether the model uses them.

Axes: T steps, H units of all layers, F features, S shifts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unrolled.errors import counted
from unrolled.inspection.ablation import Worth
from unrolled.inspection.features import Feature

__all__ = ["Following", "Layer", "Units", "units_for"]

_LEAST_R, _TIMES_CHANCE = 0.3, 3.0
_SHIFTS, _PERCENTILE = 20, 95
_LEAST = 200  # steps
_TESTED = 8  # features whose units are held still
_SAID = 4
_SEED = 0

Ablate = Callable[[str, Sequence[int]], Sequence[Worth]]  # a layer's state in words, its units -> what each is worth


@dataclass(frozen=True, slots=True)
class Following:
    """The unit that follows a feature best.

    Attributes:
        feature: what the feature is called.
        layer, unit: the layer's state in words, and the number of the unit in it, from 0.
        r: the correlation on the held-out half.
        chance: the correlation that is reached in one of twenty searches for a feature that is shifted in time.
        named: |r| ≥ 0.3 and |r| ≥ 3 × chance.
        worth: how much the loss rises while the unit is held at its mean; ``None`` where that was not tested.
        read: R² of a linear reading of all units of the layer on the held-out half, by ridge regression.
        read_chance: the same for the feature that is shifted.
    """

    feature: str
    layer: str
    unit: int
    r: float
    chance: float
    named: bool
    worth: Worth | None
    read: float
    read_chance: float

    @property
    def used(self) -> bool | None:
        """Whether the loss surely rises without it; ``None``: not tested."""
        return None if self.worth is None else self.worth.sure and self.worth.harm > 0

    @property
    def sentence(self) -> str:
        """What was found, with its numbers."""
        said = (
            f"{self.layer}, unit {self.unit} follows “{self.feature}”: r = {self.r:.2f} on steps held out "
            f"(chance {self.chance:.2f})"
        )
        if self.worth is None:
            return f"{said}; whether it is used was not tested"
        costs = f"held at its mean, it changes the loss by {self.worth.harm:+.2g} ± {self.worth.error:.1g}"
        return f"{said}; {'used' if self.used else 'only correlated'}: {costs}"


@dataclass(frozen=True, slots=True)
class Layer:
    """The units of a layer, in the order of how well they follow a feature.

    Attributes:
        units: their numbers, from 0, the best first.
        features: the feature that each follows best.
        r: its correlation there, over all steps; it is not held out.
    """

    units: tuple[int, ...]
    features: tuple[str, ...]
    r: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Units:
    """What the units of a model follow.

    Attributes:
        steps: T, half of them held out.
        found: for each feature the unit that follows it best, the largest |r| first.
        layers: a layer's state in words -> its units, in the order of how well they follow a feature.
    """

    steps: int
    found: tuple[Following, ...]
    layers: dict[str, Layer]

    def first(self, count: int) -> Units:
        """The same with only the first units of each layer."""
        parts = {
            name: Layer(layer.units[:count], layer.features[:count], layer.r[:count])
            for name, layer in self.layers.items()
        }
        return replace(self, layers=parts)

    @property
    def named(self) -> tuple[Following, ...]:
        """Those that are more than chance."""
        return tuple(one for one in self.found if one.named)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """A sentence for each unit that is named, or one that says that none is."""
        if self.steps < _LEAST:
            read = counted(self.steps, "step was", "steps were")
            return (f"only {read} read, too few to name a unit: give at least {_LEAST}",)
        if not self.found:
            return ("nothing can be said of these steps that a unit could follow",)
        named = self.named
        if not named:
            best, count = self.found[0], len(self.found)
            tried = f"any of the {count} features that were tried" if count > 1 else "the only feature that was tried"
            return (
                f"no unit surely follows {tried}: the nearest is {best.layer}, unit {best.unit} with "
                f"“{best.feature}”, r = {best.r:.2f} on steps held out (chance {best.chance:.2f})",
            )
        more = len(named) - _SAID
        others = "1 more feature has a unit that follows it" if more == 1 else f"{more} more features have such units"
        rest = (f"{others}: --json names all",) if more > 0 else ()
        return (*(one.sentence for one in named[:_SAID]), *rest)


def units_for(
    states: Mapping[str, np.ndarray],
    features: Mapping[str, Feature],
    ablate: Ablate | None = None,
) -> Units:
    r"""Find the unit that follows each feature, on one half of the steps, and test it on the other.

    ::

        k*     = argmax |corr(h_k, feature)| on the first half
        r      = corr(h_k*, feature) on the second half
        chance = the 95th percentile of |r| of 20 such searches, each for the feature shifted in a circle

    The shifted feature has the same rhythm, so that two slow quantities are not taken for one. One that repeats itself
    exactly would meet itself again when it is shifted, so each of its periods is shifted by itself. That a feature can
    be read off the units does not mean that the model uses it: the loss without the unit tells.

    Args:
        states: a layer's state in words -> (T, H of the layer).
        features: what a feature is called -> (T,).
        ablate: measures the loss without units, of the first eight that are named.

    Cost: (S + 1) F T H multiply-adds, and two systems of H equations for each layer.

    Example:
        >>> chance = np.random.default_rng(0)
        >>> feature = np.repeat(chance.integers(0, 2, 100), 5).astype(float)
        >>> states = {"layer 1, hidden state": chance.normal(size=(500, 3)) + np.outer(feature, [0, 0, 9])}
        >>> found = units_for(states, {"planted": Feature(feature)}).named
        >>> [(one.unit, one.r > 0.9) for one in found]
        [(2, True)]
    """
    steps = len(next(iter(states.values()), ()))
    if steps < _LEAST or not features:
        return Units(steps, (), {})
    moved = {name: _shifted(feature) for name, feature in features.items()}  # (S + 1, T) each
    each = np.concatenate(list(moved.values()))  # (F (S + 1), T)
    place = [(layer, unit) for layer, values in states.items() for unit in range(values.shape[1])]
    held = np.concatenate(list(states.values()), 1).T.astype(np.float64)  # (H, T)
    half = steps // 2
    first, second = (_correlations(each[:, part], held[:, part]) for part in (slice(half), slice(half, None)))
    chosen = np.abs(first).argmax(1)
    r = np.take_along_axis(second, chosen[:, None], 1).reshape(len(features), -1)  # (F, S + 1)
    chance = np.percentile(np.abs(r[:, 1:]), _PERCENTILE, axis=1)
    best = chosen.reshape(len(features), -1)[:, 0]
    reads = {layer: _read(values.astype(np.float64), each, half).reshape(r.shape) for layer, values in states.items()}
    named = (np.abs(r[:, 0]) >= _LEAST_R) & (np.abs(r[:, 0]) >= _TIMES_CHANCE * chance)
    order, names = np.lexsort((-np.abs(r[:, 0]), ~named)).tolist(), list(features)
    worth = _tested([place[best[at]] for at in order if named[at]][:_TESTED], ablate)
    found = [
        Following(
            feature=names[at],
            layer=place[best[at]][0],
            unit=place[best[at]][1],
            r=float(r[at, 0]),
            chance=float(chance[at]),
            named=bool(named[at]),
            worth=worth.get(place[best[at]]) if named[at] else None,
            read=float(reads[place[best[at]][0]][at, 0]),
            read_chance=float(np.percentile(reads[place[best[at]][0]][at, 1:], _PERCENTILE)),
        )
        for at in order
    ]
    whole = _correlations(np.stack([feature.values for feature in features.values()]), held)  # (F, H)
    return Units(steps, tuple(found), dict(_layers(states, names, whole)))


def _shifted(feature: Feature) -> np.ndarray:
    """(S + 1, T): the feature, and 20 that are shifted by at least a tenth of the steps; see `units_for`."""
    chance, values = np.random.default_rng(_SEED), feature.values
    steps, found = len(values), [values]
    for _ in range(_SHIFTS):
        if feature.period:
            at = np.arange(steps)
            jumps = chance.integers(feature.period, size=steps // feature.period + 1)
            found.append(values[(at + jumps[at // feature.period]) % (steps // feature.period * feature.period or 1)])
        else:
            found.append(np.roll(values, chance.integers(steps // 10, steps - steps // 10)))
    return np.stack(found)


def _correlations(features: np.ndarray, states: np.ndarray) -> np.ndarray:
    """(F, T) and (H, T) -> (F, H); 0 with what does not vary."""
    a, b = (values - values.mean(1, keepdims=True) for values in (features, states))
    sizes = np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.divide(a @ b.T, sizes, out=np.zeros_like(sizes), where=sizes > 1e-12)


def _read(states: np.ndarray, features: np.ndarray, half: int) -> np.ndarray:
    """(F,) R² on the second half of ridge regressions that were fitted on the first; below 0: worse than the mean."""
    mean, spread = states[:half].mean(0), states[:half].std(0) + 1e-9
    x = (states - mean) / spread  # (T, H)
    y = features.T - features[:, :half].mean(1)  # (T, F)
    strength = 0.1 * half
    gram = x[:half].T @ x[:half] + strength * np.eye(x.shape[1])
    missed = y[half:] - x[half:] @ np.linalg.solve(gram, x[:half].T @ y[:half])
    total = ((features[:, half:].T - features[:, half:].mean(1)) ** 2).sum(0)
    return np.asarray(1 - (missed**2).sum(0) / np.maximum(total, 1e-12))


def _tested(asked: list[tuple[str, int]], ablate: Ablate | None) -> dict[tuple[str, int], Worth]:
    """What each unit of a layer is worth; each is tested once."""
    found: dict[tuple[str, int], Worth] = {}
    if ablate is None:
        return found
    for layer in dict.fromkeys(layer for layer, _ in asked):
        units = sorted({unit for other, unit in asked if other == layer})
        found |= {(layer, unit): worth for unit, worth in zip(units, ablate(layer, units), strict=True)}
    return found


def _layers(states: Mapping[str, np.ndarray], names: Sequence[str], r: np.ndarray) -> Iterator[tuple[str, Layer]]:
    before = 0
    for layer, values in states.items():
        of_layer = r[:, before : before + values.shape[1]]  # (F, H of the layer)
        before += values.shape[1]
        best = np.abs(of_layer).argmax(0)
        highest = of_layer[best, np.arange(of_layer.shape[1])]
        units = np.argsort(-np.abs(highest), kind="stable")
        yield (
            layer,
            Layer(tuple(units.tolist()), tuple(names[one] for one in best[units]), tuple(highest[units].tolist())),
        )
