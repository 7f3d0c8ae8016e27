"""Bouncing balls: the physics against a fine integration by hand, and what is said of the best possible answer."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.errors import UsageError
from unrolled.synthetic.bouncing_balls import BouncingBalls, frames


def integrated(state: np.ndarray, gravity: float, restitution: float, parts: int = 10_000) -> np.ndarray:
    """One step of one ball in many small ones, each wall met by hand."""
    x, y, vx, vy = state
    dt = 1 / parts
    for _ in range(parts):
        x, y, vy = x + vx * dt, y + vy * dt - gravity * dt * dt / 2, vy - gravity * dt
        if (x < 0 and vx < 0) or (x > 1 and vx > 0):
            x, vx = (-x if x < 0 else 2 - x), -restitution * vx
        if (y < 0 and vy < 0) or (y > 1 and vy > 0):
            y, vy = (-y if y < 0 else 2 - y), -restitution * vy
    return np.array([x, y, vx, vy])


@pytest.mark.parametrize(
    "state",
    [
        [0.5, 0.5, 0.1, 0.1],  # flies
        [0.9, 0.5, 0.3, 0.0],  # a wall
        [0.05, 0.02, -0.2, -0.3],  # a wall and the floor
        [0.5, 0.95, 0.0, 0.4],  # the ceiling
        [0.5, 0.0, 0.0, 0.3],  # rises from the floor
        [0.2, 0.3, -0.9, -0.9],  # fast: several walls in one step
    ],
)
@pytest.mark.parametrize("gravity", [0.0, 0.01, 0.3])
def test_a_step_is_what_small_steps_add_up_to(state: list[float], gravity: float) -> None:
    balls = BouncingBalls(gravity=gravity, restitution=0.8)
    expected = integrated(np.array(state), gravity, 0.8)
    assert balls.after(np.array(state)) == pytest.approx(expected, abs=1e-3)


def test_energy_stays_where_nothing_is_lost_and_never_grows() -> None:
    for restitution in (1.0, 0.7):
        balls = BouncingBalls(restitution=restitution)
        x, y, vx, vy = np.moveaxis(balls.paths(200, 300, seed=0).state, -1, 0)
        assert min(x.min(), y.min()) >= 0 and max(x.max(), y.max()) <= 1 + 1e-12
        energy = balls.gravity * y + (vx**2 + vy**2) / 2
        change = np.diff(energy)
        assert change.max() < 1e-12
        assert (change.min() > -1e-12) == (restitution == 1.0)


def test_a_ball_comes_to_lie_still() -> None:
    state = np.array([0.5, 0.5, 0.0, 0.0])
    balls = BouncingBalls(gravity=0.05, restitution=0.5)
    for _ in range(60):
        state = balls.after(state)
    assert state.tolist() == [0.5, 0.0, 0.0, 0.0]


def test_a_bounce_is_marked_in_the_step_that_it_came_in() -> None:
    paths = BouncingBalls(gravity=0.0, restitution=1.0).paths(500, 40, seed=3)
    turned = (np.diff(np.sign(paths.state[..., 2:]), axis=1) != 0).any(-1)
    assert not paths.bounced[:, 0].any()
    assert np.array_equal(paths.bounced[:, 1:], turned) and 0.05 < turned.mean() < 0.2


def test_the_best_answer_misses_the_noise_alone() -> None:
    balls = BouncingBalls(noise=0.02)
    paths = balls.paths(2_000, 30, seed=5)
    best = balls.after(paths.state[:, :-1])[..., :2]
    assert np.sqrt(np.square(best - paths.seen[:, 1:]).mean()) == pytest.approx(0.02, rel=0.01)
    again = balls.paths(2_000, 30, seed=5)
    assert np.array_equal(paths.seen, again.seen)
    assert not np.array_equal(paths.seen, balls.paths(2_000, 30, seed=6).seen)


def test_a_frame_is_a_disc_with_its_centre_at_the_ball() -> None:
    positions = np.random.default_rng(0).random((20, 3, 2))
    pictures = frames(positions, side=40, radius=0.15)
    assert pictures.shape == (20, 3, 40, 40) and pictures.dtype == np.uint8
    light = pictures / pictures.sum((2, 3), keepdims=True)
    middle = np.arange(40) + 0.5
    across, up = (light.sum(2) * middle).sum(-1), (light.sum(3) * middle[::-1]).sum(-1)
    at = np.stack([across, up], -1) / 40 * 1.3 - 0.15
    assert at == pytest.approx(positions, abs=0.003)
    area = pictures.sum((2, 3)) / 255
    assert area == pytest.approx(np.pi * (0.15 / 1.3 * 40) ** 2, rel=0.02)
    assert not frames(np.array([5.0, 0.5])).any()


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^restitution must be from 1e-06 to 1, got 1\.5$"):
        BouncingBalls(restitution=1.5)
    with pytest.raises(UsageError, match="^noise must be at least 0, got nan$"):
        BouncingBalls(noise=float("nan"))
    with pytest.raises(UsageError, match="^count and steps must be at least 1, got 0 and 5$"):
        BouncingBalls().paths(0, 5, seed=0)
