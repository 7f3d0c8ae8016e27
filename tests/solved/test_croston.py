from __future__ import annotations

import numpy as np
import pytest
import torch
from forecasting import AIRLINE, after, ask

from unrolled.batch import Batch
from unrolled.solved.croston import Croston

DEMAND = [0, 0, 3, 0, 0, 0, 1, 0, 4, 4, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 5, 0, 0]


def test_beside_statsforecast() -> None:
    """CrostonSBA().forecast(DEMAND, 1) of statsforecast 2.1.1: its alpha is always 0.1, and it begins at the first
    demand, of 3 after 3 steps, so ours goes on from there."""
    task, train = ask({"y": [DEMAND]}, 2, 1)
    model = Croston.solve(task, train, Croston.Options(), 0)
    model.alpha.fill_(0.1)
    std = float(model.units[1, 0])
    begun = model.initial_state(1)
    own = begun.own._replace(
        size=torch.tensor([[3 / std]]), interval=torch.tensor([[3.0]]), demands=torch.tensor([[99.0]])
    )
    later = Batch({"y": torch.from_numpy(train.inputs["y"].values[None, 3:])}, torch.tensor([21]), torch.tensor([0]))
    outputs, _ = model.run(later, begun._replace(own=own))
    assert task.answers(outputs, later)["y_predicted"][0] == pytest.approx([0.9041054] * 2, rel=1e-5)


def test_noise_is_averaged() -> None:
    """Demands without memory are forecast by their mean, also where a window is short."""
    demand = np.random.default_rng(0).poisson(0.3, 300)
    task, train = ask({"y": [demand.tolist()]}, 2, 1, lookback=40)
    model = Croston.solve(task, train, Croston.Options(), 0)
    assert after(task, model, train)["y_predicted"][0] == pytest.approx([demand.mean()] * 2, rel=0.3)


def test_alpha_is_that_of_the_least_error() -> None:
    """Demands that grow steadily: the fastest."""
    growing = [float(t) if t % 2 else 0.0 for t in range(40)]
    task, train = ask({"y": [growing]}, 2, 1)
    assert Croston.solve(task, train, Croston.Options(), 0).alpha.tolist() == pytest.approx([0.3])


def test_only_where_many_values_are_0() -> None:
    for values, applies in (
        (DEMAND, True),
        (AIRLINE, False),
        ([-value for value in DEMAND], False),
        ([0] * 20, False),
        ([1, 1, 1, 1, 0] * 6, False),
    ):
        assert Croston.applies(*ask({"y": [values]}, 2, 1)) is applies


def test_before_a_first_demand_the_mean_of_training() -> None:
    task, train = ask({"y": [[0, 2] * 10, [0, 0, 0]]}, 1, 1)
    model = Croston.solve(task, train, Croston.Options(), 0)
    shrunk = 1 - float(model.alpha) / 2
    found = after(task, model, train)["y_predicted"]
    assert np.array(found)[1] == pytest.approx([shrunk * 2 / 2.3], rel=1e-5)
