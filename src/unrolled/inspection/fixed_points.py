"""Where the state of a recurrent model rests while one input is held: fixed and slow points, and what lies around them.

Axes: N states, D numbers of state, I width of the layer's input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unrolled.inspection.step_map import StepMap

__all__ = ["FixedPoint", "FixedPoints", "fixed_points"]

_STARTS = 16  # visited states
_SETTLE = 500  # steps with the input held
_DESCENT = 200  # steps of Adam
_RATE = 0.1  # of the spread of the visited states
_NEWTON = 20
_MOST = 8  # points
_STILL = 1e-9  # the speed of a fixed point
_SLOW = 0.01  # of the median speed along the row: that of a slow point
_SAME = 1e-3  # of the spread: two points that lie nearer are one
_NEUTRAL = 1e-6  # |eigenvalue| so near to 1 is taken for 1

Kind = Literal["stable", "saddle", "unstable", "neutral", "slow"]


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A state that F maps to itself, or nearly.

    Attributes:
        kind: ``stable``: all |eigenvalue| of ∂F/∂s are below 1, so that states nearby come to it; ``unstable``: all are
            above; ``saddle``: some are; ``neutral``: none is above, and some are 1; ``slow``: it is no fixed point, but
            the state moves at less than a hundredth of its usual speed.
        speed: |F(s) − s|/√D.
        radius: the largest |eigenvalue|.
        unstable: how many are above 1.
        share: how many of the states that were visited settle here, as a share.
        state: (D,).
    """

    kind: Kind
    speed: float
    radius: float
    unstable: int
    share: float
    state: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FixedPoints:
    """The points that were found, the ones where most states settle first; there may be others.

    Attributes:
        points: at most 8.
        starts: how many visited states the search began from.
        settled: the share of these that settle at one of the points.
        input: (I,), the input that was held.
    """

    points: tuple[FixedPoint, ...]
    starts: int
    settled: float
    input: tuple[float, ...]

    @property
    def sentence(self) -> str:
        """What they say about the memory of the model."""
        held = "with its mean input held"
        stable = [one for one in self.points if one.kind == "stable"]
        if not self.points:
            return f"{held}, the state rests nowhere that was found from {self.starts} states: it drifts or goes round"
        others = "".join(f"; {said}" for said in self._others())
        if any(one.kind == "neutral" for one in self.points):
            return f"{held}, the state stays along a whole line of fixed points, so it can hold a number{others}"
        if len(stable) > 1:
            shares = " and ".join(str(round(one.share * self.starts)) for one in stable)
            return (
                f"{held}, there are {len(stable)} stable points: the state chooses between them, and can hold the "
                f"choice for ever ({shares} of {self.starts} visited states settle there){others}"
            )
        if stable and self.settled == 1:
            return (
                f"{held}, every state settles at one stable point, so it forgets what it read before (its "
                f"slowest direction keeps {stable[0].radius:.3g} of a change in a step){others}"
            )
        if stable and not self.settled:
            return f"{held}, there is a stable point, but no visited state settles there in {_SETTLE} steps{others}"
        if stable:
            many = round(stable[0].share * self.starts)
            return (
                f"{held}, {many} of {self.starts} visited states settle at a stable point; the others still move after "
                f"{_SETTLE} steps{others}"
            )
        return f"{held}, no stable point was found from {self.starts} states: the state goes on moving{others}"

    def _others(self) -> Iterator[str]:
        for kind in ("saddle", "unstable", "slow"):
            found = [one for one in self.points if one.kind == kind]
            directions = sorted({one.unstable for one in found})
            if found:
                name = "slow point" if kind == "slow" else f"{kind} point" if kind == "unstable" else kind
                yield (
                    f"{len(found)} {name}{'s' * (len(found) > 1)} with "
                    f"{' or '.join(map(str, directions))} unstable direction{'s' * (directions != [1])}"
                )


def fixed_points(step: StepMap, visited: Tensor, x: Tensor) -> FixedPoints:
    r"""Search states s with F(s, x) = s from states that a run has visited.

    ::

        settle     s ← F(s, x), 500 times: this finds what is stable
        descend    min |F(s, x) − s|², 200 steps of Adam, from visited states and from points halfway between two of
                   them: this finds what is unstable too
        polish     Newton's method, (∂F/∂s − 1) δ = s − F(s, x), on what both have found

    Args:
        step: F.
        visited: (T + 1, D) states of a run, the initial one first, at which the search does not begin.
        x: (I,) the input that is held.

    Cost: about 1 100 steps of N = 16 rows, and up to 8 times 20 Jacobians and systems of D equations.

    References:
        Sussillo and Barak 2013, Opening the black box, https://doi.org/10.1162/NECO_a_00409
    """
    rows = np.linspace(1, len(visited) - 1, min(_STARTS, len(visited) - 1)).round().astype(int)
    starts, x = visited[rows], x[None].double()
    spread = float(visited.std(0, correction=0).norm() / step.size**0.5) or 1.0
    usual = float(_speed(visited[1:], visited[:-1]).median())
    ended = starts
    with torch.no_grad():
        for _ in range(_SETTLE):
            ended = step(ended, x)
    halfway = (starts + starts.flip(0).roll(1, 0)) / 2
    low = _descend(step, torch.cat([starts[::2], halfway[::2]]), x, _RATE * spread)
    found: list[tuple[Tensor, float]] = []
    for candidate in _distinct(step, torch.cat([ended, low]), x, _SAME * spread):
        state, speed = _polished(step, candidate, x)
        if speed <= max(_STILL, _SLOW * usual) and not any(_near(state, one, spread) for one, _ in found):
            found.append((state, speed))
    points = []
    for state, speed in found:
        share = sum(_near(one[None], state, spread) for one in ended) / len(ended)
        points.append(_described(step, state, speed, share, x))
    points.sort(key=lambda point: -point.share)
    settled = sum(any(_near(one[None], state, spread) for state, _ in found) for one in ended) / len(ended)
    return FixedPoints(tuple(points), len(starts), settled, tuple(x[0].tolist()))


def _descend(step: StepMap, states: Tensor, x: Tensor, rate: float) -> Tensor:
    states = states.clone().requires_grad_()
    optimizer = torch.optim.Adam([states], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _DESCENT)
    with torch.enable_grad():
        for _ in range(_DESCENT):
            (states.grad,) = torch.autograd.grad((step(states, x) - states).square().sum(), [states])
            optimizer.step()
            schedule.step()
    return states.detach()


def _distinct(step: StepMap, states: Tensor, x: Tensor, apart: float) -> Iterator[Tensor]:
    """At most `_MOST` states (1, D), the slowest first, without those that lie near to one before."""
    with torch.no_grad():
        speeds = _speed(step(states, x), states)
    kept: list[Tensor] = []
    for row in speeds.argsort(stable=True).tolist():
        state = states[row : row + 1]
        if len(kept) < _MOST and all(float(_speed(state, one)) > apart for one in kept):
            kept.append(state)
            yield state


def _polished(step: StepMap, state: Tensor, x: Tensor) -> tuple[Tensor, float]:
    """The fixed point near ``state`` (1, D), or where Newton's method comes no further; and the speed there."""
    with torch.no_grad():
        miss = step(state, x) - state
        for _ in range(_NEWTON):
            if float(_speed(miss)) <= 1e-3 * _STILL:
                break
            jacobian = step.jacobian(state, x[0]) - torch.eye(step.size, dtype=torch.float64)
            full = torch.linalg.lstsq(jacobian, -miss.T).solution.T
            for part in (1.0, 0.5, 0.25, 0.125):
                tried = state + part * full
                left = step(tried, x) - tried
                if float(_speed(left)) < float(_speed(miss)):
                    state, miss = tried, left
                    break
            else:
                break
    return state, float(_speed(miss))


def _described(step: StepMap, state: Tensor, speed: float, share: float, x: Tensor) -> FixedPoint:
    sizes = torch.linalg.eigvals(step.jacobian(state, x[0])).abs()
    unstable, radius = int((sizes > 1 + _NEUTRAL).sum()), float(sizes.max())
    kind: Kind = "slow"
    if speed <= _STILL:
        kind = "stable" if radius < 1 - _NEUTRAL else "neutral" if not unstable else "saddle"
        kind = "unstable" if unstable == step.size else kind
    return FixedPoint(kind, speed, radius, unstable, share, tuple(state[0].tolist()))


def _near(state: Tensor, other: Tensor, spread: float) -> bool:
    return float(_speed(state, other)) <= 10 * _SAME * spread


def _speed(states: Tensor, before: Tensor | float = 0.0) -> Tensor:
    """(N,): the root mean square of each difference."""
    return (states - before).square().mean(-1).sqrt()
