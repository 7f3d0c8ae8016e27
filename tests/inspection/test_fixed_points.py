"""Fixed points that are known beforehand: of a latch, a contraction, a clock and a line."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from unrolled.inspection.fixed_points import FixedPoints, fixed_points
from unrolled.inspection.step_map import StepMap
from unrolled.layers.recurrent import Recurrent


def of(matrix: list[list[float]], gain: float = 1.0) -> FixedPoints:
    """A tanh RNN with these recurrent weights, on random inputs; then with its input held at 0."""
    layer = Recurrent(1, len(matrix), cell="rnn")
    cell: Any = layer.layers[0][0]
    cell.weight_hh.data, cell.weight_ih.data = torch.tensor(matrix), torch.full_like(cell.weight_ih, gain)
    step, inputs = StepMap(layer), torch.randn(60, 1, generator=torch.Generator().manual_seed(0))
    return fixed_points(step, step.run(3 * inputs), torch.zeros(1))


def test_a_latch_chooses_between_two_stable_points_with_an_unstable_one_between() -> None:
    found = of([[3.0]])
    top = 1.0
    for _ in range(200):
        top = math.tanh(3 * top)
    assert {one.kind for one in found.points[:2]} == {"stable"}
    assert sorted(one.state[0] for one in found.points[:2]) == pytest.approx([-top, top], abs=1e-9)
    assert [one.radius for one in found.points[:2]] == pytest.approx([3 * (1 - top**2)] * 2, abs=1e-9)
    (between,) = found.points[2:]
    assert between.kind == "unstable" and between.state[0] == pytest.approx(0, abs=1e-9)
    assert between.radius == pytest.approx(3) and (between.unstable, between.share) == (1, 0.0)
    assert found.settled == 1
    assert found.sentence.startswith("with its mean input held, there are 2 stable points: the state chooses between")
    assert found.sentence.endswith("of 16 visited states settle there); 1 unstable point with 1 unstable direction")


def test_two_latches_have_four_stable_points_and_saddles() -> None:
    found = of([[3.0, 0.0], [0.0, 3.0]])
    kinds = [one.kind for one in found.points]
    assert kinds.count("stable") == 2  # both units read the same input, so they are always alike
    found = of([[2.0, 0.0], [0.0, -2.0]])
    assert all(one.kind != "slow" for one in found.points)


def test_a_contraction_has_one_fixed_point_where_everything_settles() -> None:
    turn = [[0.0, -0.8], [0.8, 0.0]]
    found = of(turn)
    assert [(one.kind, one.share) for one in found.points] == [("stable", 1.0)]
    assert found.points[0].state == pytest.approx((0, 0), abs=1e-8)
    assert found.points[0].radius == pytest.approx(0.8, abs=1e-6)
    assert found.sentence == (
        "with its mean input held, every state settles at one stable point, so it forgets what it read before "
        "(its slowest direction keeps 0.8 of a change in a step)"
    )


def test_a_clock_rests_nowhere_but_at_its_unstable_centre() -> None:
    found = of([[0.0, -1.5], [1.5, 0.0]])
    assert [(one.kind, one.unstable, one.share) for one in found.points] == [("unstable", 2, 0.0)]
    assert found.settled == 0
    assert found.sentence == (
        "with its mean input held, no stable point was found from 16 states: the state goes on moving; 1 unstable point with 2 unstable directions"
    )


def test_a_slow_point_is_no_fixed_point() -> None:
    """Just beyond a saddle-node bifurcation there is a bottleneck, and no fixed point in it."""
    layer = Recurrent(1, 1, cell="rnn")
    cell: Any = layer.layers[0][0]
    weight = 1.5
    h = math.sqrt(1 - 1 / weight)
    critical = -math.atanh(h) + weight * h  # bias at which -h becomes tangent to the diagonal
    cell.weight_hh.data[:], cell.weight_ih.data[:], cell.bias_ih.data[:] = weight, 2.0, critical + 1e-5
    step = StepMap(layer)
    inputs = torch.randn(60, 1, generator=torch.Generator().manual_seed(0))
    found = fixed_points(step, step.run(inputs), torch.zeros(1))
    slow = [one for one in found.points if one.kind == "slow"]
    assert len(slow) == 1 and slow[0].state[0] == pytest.approx(-h, abs=0.05) and 0 < slow[0].speed < 1e-4
    assert next(one.kind for one in found.points if one.share > 0) == "stable"
