"""The dynamics of a recurrent model along a row: how fast a change of its state fades, and in how many directions.

Axes: D numbers of state, K exponents, T steps, I width of the layer's input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import DataError, UsageError, counted, named
from unrolled.inspection.fixed_points import FixedPoints, fixed_points
from unrolled.inspection.step_map import StepMap, layer_inputs
from unrolled.models.model import Model

__all__ = ["STEPS", "Dynamics", "Spectrum", "dynamics", "exponents"]

_COUNTED, _WARM = 200, 100  # steps that are measured, and those before them
STEPS = _COUNTED + _WARM  # of a row that are read
_LEAST = 20
_EXPONENTS = 8
_PLACES = 3  # of the row, where the spectrum of a step is computed
_WIDEST = 640  # numbers of state: the cost of a spectrum grows with their third power
_HEAVIEST = 1 << 24  # weights of the layer
_WORK = 300_000_000  # weights times steps: fewer steps are read where the layer is heavy
_SHORTEST = 60  # steps
_KEPT = 64  # eigenvalues of each spectrum
_BLOCKS = 10  # of the steps, from whose means the standard error is taken
_SLOW = 0.9
_SURE = 2.0  # standard errors


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The eigenvalues of J = ∂s_t/∂s_{t-1} at one step.

    Attributes:
        step: t, from 0.
        real, imaginary: the 64 largest eigenvalues, the largest first.
        radius: the largest |eigenvalue|.
        slow: how many directions keep more than 0.9 of themselves in this step, or grow.
        growing: how many grow.
    """

    step: int
    real: tuple[float, ...]
    imaginary: tuple[float, ...]
    radius: float
    slow: int
    growing: int


@dataclass(frozen=True, slots=True)
class Dynamics:
    r"""What becomes of a small change of the state, while the input stays that of a row.

    ::

        δ_t = J_t δ_{t-1},   J_t = ∂s_t/∂s_{t-1}
        λ_1 ≥ λ_2 ≥ …        the mean of log |stretch| over the steps, of the K directions that are stretched most
        1/|λ_1|              the steps in which a change fades to 1/e, or grows by e

    Attributes:
        steps: T, over which the exponents are the mean.
        size: D.
        exponents: λ_1 … λ_K in nats a step; -inf for what is gone exactly after some steps.
        error: the standard error of λ_1, from ten blocks of the steps.
        gone: the steps after which no change of the state is left, where that was seen.
        spectra: of J at some steps; empty for a state of more than 640 numbers.
        points: where the state rests while one input is held; ``None`` for such a wide state.
    """

    steps: int
    size: int
    exponents: tuple[float, ...]
    error: float
    gone: int | None
    spectra: tuple[Spectrum, ...]
    points: FixedPoints | None

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What the numbers say, in a sentence each."""
        wide = f"its state has {self.size:,} numbers, more than {_WIDEST:,}: no spectra and no fixed points"
        spectra = (self._of_spectra(),) if self.spectra else (wide,)
        return (self._of_exponents(), *spectra, *(() if self.points is None else (self.points.sentence,)))

    def _of_exponents(self) -> str:
        first = self.exponents[0]
        if self.gone is not None:
            return f"a small change of the state is gone after {self.gone} steps: it holds only what it read in them"
        said = f"λ1 = {first:.2g} ± {self.error:.1g} a step, over {self.steps:,} steps"
        if abs(first) <= max(_SURE * self.error, 1 / self.steps):
            return (
                f"small changes of the state neither fade nor grow to speak of ({said}): what it holds lasts longer "
                "than was measured"
            )
        if first < 0:
            return f"small changes of the state fade to 1/e in {_steps(-1 / first)} ({said})"
        return (
            f"λ1 > 0, chaotic: small changes of the state grow by e in {_steps(1 / first)} ({said}), so rounding "
            f"and the first steps of a row decide what it holds; train with a lower learning rate ({named('lr')}) or "
            f"with more weight decay ({named('weight_decay')})"
        )

    def _of_spectra(self) -> str:
        slow, growing = ([getattr(one, name) for one in self.spectra] for name in ("slow", "growing"))
        at = ", ".join(f"{one.step:,}" for one in self.spectra)
        lasting = "these carry what lasts" if any(slow) else "so nothing lasts for many steps"
        return (
            f"in one step, {_range(slow)} of {self.size:,} directions of the state keep more than {_SLOW:.0%} of a "
            f"change, and {_range(growing)} let it grow (at the steps {at}): {lasting}"
        )


def dynamics(network: Model, batch: Batch, *, steps: int = _COUNTED) -> Dynamics:
    """Measure the dynamics of a network's layer along the first row of ``batch``, and with one input held.

    Args:
        network: a single network whose state has one size: any recurrent cell, stacked too, the delta rule,
            convolutions. Its weights are not changed; dropout is off.
        batch: the row; only its first ``steps`` and 100 more are read, and fewer where the layer has over a million
            weights.
        steps: T ≥ 20, over which exponents are the mean; fewer where the row is shorter.

    Raises:
        UsageError: the model has no such state: attention, both directions, an encoder–decoder, a solved model; or
            the layer has more than 16 million weights.
        DataError: the row has fewer than 20 steps.

    Cost: about five steps of K rows for each of T, three spectra of J, about 25 D³ each, and `fixed_points`: some
        seconds for an LSTM of 256 units.
    """
    inputs = layer_inputs(network, batch)
    weights = sum(part.numel() for part in network.layer.parameters())  # type: ignore[union-attr]
    if weights > _HEAVIEST:
        raise UsageError(
            f"its layer has {weights:,} weights, more than {_HEAVIEST:,}: to follow a step would take minutes"
        )
    step = StepMap(network.layer)
    if len(inputs) < _LEAST:
        few = f"the row has {counted(len(inputs), 'step')}, too few for exponents"
        raise DataError(f"{few}: give one with at least {_LEAST}")
    inputs = inputs[: min(steps + _WARM, max(_SHORTEST, _WORK // max(weights, 1)))]
    states = step.run(inputs)
    found, error, gone, followed = exponents(step, states, inputs)
    narrow = step.size <= _WIDEST
    places = np.linspace(0, len(inputs) - 1, _PLACES + 2).round().astype(int)[1:-1].tolist() if narrow else []
    return Dynamics(
        steps=followed,
        size=step.size,
        exponents=found,
        error=error,
        gone=gone,
        spectra=tuple(_spectrum(step, states, inputs, place) for place in places),
        points=fixed_points(step, states, inputs.mean(0)) if narrow else None,
    )


def exponents(
    step: StepMap, states: Tensor, inputs: Tensor, count: int = _EXPONENTS
) -> tuple[tuple[float, ...], float, int | None, int]:
    """The leading Lyapunov exponents: tangents are carried along the row, and made orthonormal again after each step.

    Args:
        step: the layer's step.
        states: (T + 1, D) along the row.
        inputs: (T, I) of the row.
        count: K, at most D.

    Returns:
        The exponents, the standard error of the first, the steps after which nothing is left of any change (``None``:
        something is), and the steps that were counted, which are those after the first quarter, or after 100.
    """
    warm = min(_WARM, len(inputs) // 4)
    chance = torch.Generator().manual_seed(0)
    first = torch.randn(step.size, min(count, step.size), generator=chance, dtype=torch.float64)
    tangents = torch.linalg.qr(first)[0].T  # (K, D)
    change, gone, logs = tangents[:1], None, []
    for t, x in enumerate(inputs):
        moved = step.along(states[t : t + 1], x, torch.cat([tangents, change]))
        q, r = torch.linalg.qr(moved[:-1].T)
        # QR puts a new direction in place of one that is lost, so one change is carried along without it.
        tangents, change = q.T, moved[-1:] / moved[-1].norm().clamp(min=1e-300)
        if gone is None and not change.any():
            gone = t + 1
        if t >= warm:
            logs.append(r.diagonal().abs().log())
    stretched = torch.stack(logs).numpy()  # (T, K)
    means = stretched.mean(0) if gone is None else np.full(len(tangents), -math.inf)
    borders = np.linspace(0, len(stretched), _BLOCKS + 1).astype(int)
    blocks = np.array([stretched[a:b, 0].mean() for a, b in pairwise(borders)])
    error = float(blocks.std(ddof=1) / math.sqrt(_BLOCKS)) if np.isfinite(blocks).all() else math.nan
    return tuple(np.sort(means)[::-1].tolist()), error, gone, len(stretched)


def _spectrum(step: StepMap, states: Tensor, inputs: Tensor, at: int) -> Spectrum:
    values = torch.linalg.eigvals(step.jacobian(states[at : at + 1], inputs[at]))
    sizes = values.abs()
    values = values[sizes.argsort(descending=True, stable=True)][:_KEPT]
    return Spectrum(
        step=at,
        real=tuple(values.real.tolist()),
        imaginary=tuple(values.imag.tolist()),
        radius=float(sizes.max()),
        slow=int((sizes > _SLOW).sum()),
        growing=int((sizes > 1).sum()),
    )


def _steps(number: float) -> str:
    """How many steps, in words.

    >>> _steps(0.8), _steps(1.4), _steps(69.8)
    ('less than a step', 'about 1 step', 'about 70 steps')
    """
    whole = round(number)
    return "less than a step" if number < 1 else f"about {whole:,} step{'s' * (whole > 1)}"


def _range(numbers: list[int]) -> str:
    """The least and the most.

    >>> _range([3, 3]), _range([5, 2])
    ('3', '2 to 5')
    """
    least, most = min(numbers), max(numbers)
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"
