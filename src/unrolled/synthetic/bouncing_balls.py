r"""Balls that bounce in a box: endless data whose best possible answer is known.

Between walls a ball flies as it must, and no step of time is approximated:

.. math:: x(t) = x + v_x t, \qquad y(t) = y + v_y t - \tfrac12 g t^2;

a wall turns the speed across it and leaves a share e of it. Positions are seen with Gaussian noise of deviation σ. Who
knows the true state foretells the next true position exactly, and of the next one that is seen misses the noise
alone: σ is the least root mean square error that there is.

Axes: B balls, T steps, 4 numbers of a state: x, y and the speeds along them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unrolled.errors import UsageError

__all__ = ["BouncingBalls", "Paths", "frames"]

_HARDLY = 0.01  # steps: a ball that would be back on the floor this soon lies still


class Paths(NamedTuple):
    """What balls did: ``state`` (B, T, 4) float64, the truth; ``seen`` (B, T, 2) float64, where they seemed to be;
    ``bounced`` (B, T) bool, True where a ball has met a wall since the step before.
    """

    state: np.ndarray
    seen: np.ndarray
    bounced: np.ndarray


@dataclass(frozen=True, slots=True)
class BouncingBalls:
    """Balls in a box from 0 to 1, with gravity downwards along y. The unit of time is a step.

    Args:
        gravity: what each step adds to the speed downwards, 0 … 1.
        restitution: the share of the speed across a wall that a bounce leaves, above 0, at most 1.
        noise: σ ≥ 0 of each coordinate that is seen.
        speed: the most that a ball begins with along each axis, 0 … 1.

    Raises:
        UsageError: a number out of range.

    Example:
        >>> balls = BouncingBalls(noise=0.0)
        >>> paths = balls.paths(count=3, steps=50, seed=1)
        >>> bool((balls.after(paths.state[:, :-1]) == paths.state[:, 1:]).all())
        True
    """

    gravity: float = 0.01
    restitution: float = 0.9
    noise: float = 0.01
    speed: float = 0.06

    def __post_init__(self) -> None:
        for name, least, most in (("gravity", 0, 1), ("restitution", 1e-6, 1), ("noise", 0, np.inf), ("speed", 0, 1)):
            if not least <= getattr(self, name) <= most:
                bounds = f"from {least:g} to {most:g}" if np.isfinite(most) else f"at least {least:g}"
                raise UsageError(f"{name} must be {bounds}, got {getattr(self, name)}")

    def paths(self, count: int, steps: int, seed: int) -> Paths:
        """What ``count`` balls do in ``steps`` steps from anywhere in the box; another seed, other balls.

        Raises:
            UsageError: there is not at least one ball and one step.

        Cost: O(B T), a second for a million steps.
        """
        if count < 1 or steps < 1:
            raise UsageError(f"there must be at least one ball and one step, got {count} and {steps}")
        random = np.random.default_rng(seed)
        state, bounced = np.empty((count, steps, 4)), np.zeros((count, steps), bool)
        state[:, 0, :2] = random.random((count, 2))
        state[:, 0, 2:] = random.uniform(-self.speed, self.speed, (count, 2))
        for t in range(1, steps):
            state[:, t], bounced[:, t] = self._step(state[:, t - 1])
        return Paths(state, state[..., :2] + self.noise * random.standard_normal((count, steps, 2)), bounced)

    def after(self, state: np.ndarray) -> np.ndarray:
        """The state one step later, exactly: its first two numbers are the best possible forecast.

        Shape:
            (…, 4) float64 -> (…, 4) float64.
        """
        return self._step(state.reshape(-1, 4))[0].reshape(state.shape)

    def _step(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, 4), and (B,) bool: whether a wall was met. Every ball flies to its next wall until the step is over."""
        state, left = state.copy(), np.ones(len(state))
        bounced = np.zeros(len(state), bool)
        flying = np.arange(len(state))
        while len(flying):
            now = state[flying]
            meets = _meets(now, self.gravity)  # (B, 2), of the walls across x and of those across y
            time = np.minimum(meets.min(1), left[flying])
            hit = (meets <= left[flying, None]) & (meets == time[:, None])
            state[flying] = self._bounce(_fly(now, time, self.gravity), hit)
            left[flying] -= time
            bounced[flying] |= hit.any(1)
            flying = flying[hit.any(1)]
        return state, bounced

    def _bounce(self, state: np.ndarray, hit: np.ndarray) -> np.ndarray:
        position, speed = state[:, :2], state[:, 2:]
        position[hit] = np.round(position[hit])  # on the wall, not a rounding error behind it
        speed[hit] *= -self.restitution
        speed[hit[:, 1] & (position[:, 1] == 0) & (2 * speed[:, 1] < _HARDLY * self.gravity), 1] = 0.0
        return state


def frames(positions: np.ndarray, side: int = 16, radius: float = 0.1) -> np.ndarray:
    """Pictures of balls: white discs on black, smooth at the rim, y upwards.

    Args:
        positions: where each ball is, in the box; beyond it, it is out of the picture in part.
        side: pixels of a picture's side, at least 1.
        radius: of the disc, above 0. A ball touches the border of the picture where its centre is at a wall.

    Shape:
        (…, 2) -> (…, side, side) uint8.

    Example:
        >>> frames(np.array([0.0, 0.5]), side=4, radius=0.3)
        array([[  0,   0,   0,   0],
               [...
    """
    at = (np.asarray(positions)[..., None] + radius) / (1 + 2 * radius) * side - 0.5  # (…, 2, 1), in pixels
    pixel = np.arange(side)
    across, down = pixel - at[..., 0, :], pixel[::-1] - at[..., 1, :]  # (…, side)
    distance = np.hypot(across[..., None, :], down[..., :, None])
    inside = radius / (1 + 2 * radius) * side - distance + 0.5
    return np.asarray(np.round(255 * inside.clip(0, 1)), np.uint8)


def _fly(state: np.ndarray, time: np.ndarray, gravity: float) -> np.ndarray:
    t, (x, y, vx, vy) = time, state.T
    pull = np.where(_lies(state), 0.0, gravity)
    return np.stack([x + vx * t, y + vy * t - pull * t * t / 2, vx, vy - pull * t], 1)


def _lies(state: np.ndarray) -> np.ndarray:
    return np.asarray((state[:, 1] <= 0) & (state[:, 3] == 0))


def _meets(state: np.ndarray, gravity: float) -> np.ndarray:
    """(B, 2): when each ball meets the next wall across x, and the floor or the ceiling; infinite for never."""
    x, y, vx, vy = state.T
    with np.errstate(divide="ignore", invalid="ignore"):  # what does not move meets nothing
        side = np.where(vx > 0, (1 - x) / vx, np.where(vx < 0, -x / vx, np.inf))
        below = np.sqrt(vy * vy + 2 * gravity * y)
        # The same root in two forms, each without a difference of near numbers where it is taken.
        floor = np.where(vy > 0, (vy + below) / gravity, 2 * y / (below - vy))
        above = vy * vy - 2 * gravity * (1 - y)
        top = 2 * (1 - y) / (vy + np.sqrt(above))
    floor = np.where(_lies(state), np.inf, np.nan_to_num(floor, nan=np.inf))
    ceiling = np.where((vy > 0) & (above >= 0), top, np.inf)
    return np.stack([side, np.minimum(floor, ceiling)], 1).clip(min=0)
