r"""Simulated balls that bounce in a box: unlimited data with a known best possible forecast.

Between walls, the motion of a ball is exact:

.. math:: x(t) = x + v_x t, \qquad y(t) = y + v_y t - \tfrac12 g t^2;

a wall reverses the speed across it and keeps a share e of it. Positions are observed with Gaussian noise of standard
deviation σ. The true state determines the next true position exactly, so a forecast of the next observed position can
only miss the noise: the smallest possible root mean square error is σ.

Axes: B balls, T steps, 4 numbers per state: x, y and the speeds along them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from unrolled.errors import UsageError

__all__ = ["BouncingBalls", "Paths", "frames"]

_HARDLY = 0.01  # steps: a ball that would be back on the floor sooner comes to rest


class Paths(NamedTuple):
    """Simulated paths: ``state`` (B, T, 4) float64, the true states; ``seen`` (B, T, 2) float64, the observed
    positions; ``bounced`` (B, T) bool, True where a ball has hit a wall since the step before.
    """

    state: np.ndarray
    seen: np.ndarray
    bounced: np.ndarray


@dataclass(frozen=True, slots=True)
class BouncingBalls:
    """Balls in a box from 0 to 1, with gravity downwards along y. The unit of time is a step.

    Args:
        gravity: the downward speed added per step, 0 … 1.
        restitution: the share of the speed across a wall that a bounce keeps, above 0, at most 1.
        noise: σ ≥ 0 of each observed coordinate.
        speed: the highest initial speed along each axis, 0 … 1.

    Raises:
        UsageError: a number is out of range.

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
        """Simulate ``count`` balls for ``steps`` steps from random places in the box; the seed selects the balls.

        Raises:
            UsageError: ``count`` or ``steps`` is below 1.

        Cost: O(B T), about a second per million steps.
        """
        if count < 1 or steps < 1:
            raise UsageError(f"count and steps must be at least 1, got {count} and {steps}")
        random = np.random.default_rng(seed)
        state, bounced = np.empty((count, steps, 4)), np.zeros((count, steps), bool)
        state[:, 0, :2] = random.random((count, 2))
        state[:, 0, 2:] = random.uniform(-self.speed, self.speed, (count, 2))
        for t in range(1, steps):
            state[:, t], bounced[:, t] = self._step(state[:, t - 1])
        return Paths(state, state[..., :2] + self.noise * random.standard_normal((count, steps, 2)), bounced)

    def after(self, state: np.ndarray) -> np.ndarray:
        """The exact state one step later; its first two numbers are the best possible forecast.

        Shape:
            (…, 4) float64 -> (…, 4) float64.
        """
        return self._step(state.reshape(-1, 4))[0].reshape(state.shape)

    def _step(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next state (B, 4), and (B,) bool, whether a wall was hit. Balls move wall by wall until the step ends."""
        state, left = state.copy(), np.ones(len(state))
        bounced = np.zeros(len(state), bool)
        flying = np.arange(len(state))
        while len(flying):
            now = state[flying]
            meets = _meets(now, self.gravity)  # (B, 2), for the walls across x and across y
            time = np.minimum(meets.min(1), left[flying])
            hit = (meets <= left[flying, None]) & (meets == time[:, None])
            state[flying] = self._bounce(_fly(now, time, self.gravity), hit)
            left[flying] -= time
            bounced[flying] |= hit.any(1)
            flying = flying[hit.any(1)]
        return state, bounced

    def _bounce(self, state: np.ndarray, hit: np.ndarray) -> np.ndarray:
        position, speed = state[:, :2], state[:, 2:]
        position[hit] = np.round(position[hit])  # exactly on the wall, without a rounding error
        speed[hit] *= -self.restitution
        speed[hit[:, 1] & (position[:, 1] == 0) & (2 * speed[:, 1] < _HARDLY * self.gravity), 1] = 0.0
        return state


def frames(positions: np.ndarray, side: int = 16, radius: float = 0.1) -> np.ndarray:
    """Draw balls as white discs with smooth edges on black, with y upwards.

    Args:
        positions: the position of each ball; outside the box, a ball is partly outside the picture.
        side: the side of a picture in pixels, at least 1.
        radius: the radius of the disc, above 0. A ball whose centre is at a wall touches the border of the picture.

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
    """(B, 2): the time until each ball hits a wall across x, and the floor or ceiling; infinite for never."""
    x, y, vx, vy = state.T
    with np.errstate(divide="ignore", invalid="ignore"):  # a ball that does not move divides by 0
        side = np.where(vx > 0, (1 - x) / vx, np.where(vx < 0, -x / vx, np.inf))
        below = np.sqrt(vy * vy + 2 * gravity * y)
        # The same root in two forms; each is used where it does not subtract nearly equal numbers.
        floor = np.where(vy > 0, (vy + below) / gravity, 2 * y / (below - vy))
        above = vy * vy - 2 * gravity * (1 - y)
        top = 2 * (1 - y) / (vy + np.sqrt(above))
    floor = np.where(_lies(state), np.inf, np.nan_to_num(floor, nan=np.inf))
    ceiling = np.where((vy > 0) & (above >= 0), top, np.inf)
    return np.stack([side, np.minimum(floor, ceiling)], 1).clip(min=0)
