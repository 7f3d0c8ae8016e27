from __future__ import annotations

import numpy as np
import pytest
import torch
from configs import task_options
from samples import sequences

from unrolled.batch import Batch
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import UsageError
from unrolled.metrics.scoring import scores
from unrolled.tasks.regress import Regress
from unrolled.tasks.task import Question

DATA = sequences({"x": [0.0, 1.0, 2.0, 3.0], "y": [10.0, 20.0, 30.0, 40.0]}, {"x": "number", "y": "number"})


def task() -> Regress:
    question = Question(DATA, ("y",), ())
    return Regress(task_options("regress"), Preprocessor.fit(DATA, Regress.roles(question), Preparation()))


def batch(target: list[float]) -> Batch:
    rows = torch.arange(len(target))
    return Batch({}, torch.ones_like(rows), rows, torch.tensor(target)[:, None])


def test_metrics_are_in_the_targets_own_units() -> None:
    one, std = task(), float(np.std([10, 20, 30, 40]))
    target = ((np.array([10.0, 20.0, 30.0, 40.0]) - 25) / std).tolist()
    predicted = torch.tensor((np.array([12.0, 18.0, 30.0, 44.0]) - 25) / std)[:, None].float()
    metrics = scores([one.judge(predicted, batch(target))])
    assert metrics["mse"] == pytest.approx((4 + 4 + 0 + 16) / 4, rel=1e-5)
    assert metrics["mae"] == pytest.approx((2 + 2 + 0 + 4) / 4, rel=1e-5)
    assert metrics["r2"] == pytest.approx(1 - 24 / 500, rel=1e-5)
    assert metrics["mse_scaled"] == pytest.approx(6 / std**2, rel=1e-5)
    assert one.answers(predicted, batch(target))["y_predicted"] == pytest.approx([12, 18, 30, 44], rel=1e-5)


def test_a_target_that_does_not_vary_has_no_r2() -> None:
    one = task()
    assert scores([one.judge(torch.tensor([[0.5], [1.0]]), batch([1.0, 1.0]))])["r2"] == 0.0


def test_a_target_that_is_missing_is_not_scored() -> None:
    """With --missing impute a NaN in the target is a missing value."""
    one = task()
    outputs = torch.tensor([[0.5], [1.0], [3.0]], requires_grad=True)
    total, count = one.loss(outputs, batch([0.0, float("nan"), 1.0]))
    assert (float(total.detach()), int(count)) == (4.25, 2)
    total.backward()
    assert outputs.grad is not None
    assert outputs.grad.flatten().tolist() == [1.0, 0.0, 4.0]
    known = scores([one.judge(outputs.detach()[[0, 2]], batch([0.0, 1.0]))])
    assert scores([one.judge(outputs.detach(), batch([0.0, float("nan"), 1.0]))]) == known


def test_the_target_is_one_number_a_row() -> None:
    data = sequences({"x": [0.0, 1.0], "y": ["a", "b"]}, {"x": "number", "y": "category"})
    with pytest.raises(UsageError, match="the task 'regress' needs a numeric target, but 'y' is category"):
        Regress.roles(Question(data, ("y",), ()))
    steps = sequences({"x": [[0.0], [1.0]], "y": [[1.0], [2.0]]}, {"x": "number", "y": "number"})
    with pytest.raises(UsageError, match="the task 'regress' needs one number per row, but 'y' has one per step"):
        Regress.roles(Question(steps, ("y",), ()))
    assert Regress.recognises(Question(steps, ("y",), ())) is None
    assert Regress.recognises(Question(DATA, ("y",), ())) == (60, "'y' is a number")
