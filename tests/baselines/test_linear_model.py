"""Sparse rows, and the fit against scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from unrolled.baselines._linear_model import LinearModel, SparseRows
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]
RNG = np.random.default_rng(0)


def test_sparse_rows_multiply_and_take_rows() -> None:
    rows = SparseRows(np.array([2, 0, 1, 2]), np.array([1, 2, 3, 4], np.float32), np.array([0, 1, 1, 4]), 3)
    dense = np.array([[0, 0, 1], [0, 0, 0], [2, 3, 4]])
    weight = RNG.normal(size=(3, 2))
    np.testing.assert_allclose(rows.times(torch.from_numpy(weight)).numpy(), dense @ weight)
    taken = rows.take(np.array([2, 1, 0, 2]))
    np.testing.assert_allclose(taken.times(torch.from_numpy(weight)).numpy(), dense[[2, 1, 0, 2]] @ weight)


def test_without_features_the_bias_alone_answers(texts: Make) -> None:
    rows = SparseRows(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(9, np.int64), 3)
    split = texts([[0]] * 8, 1, [0, 0, 0, 0, 0, 0, 1, 1], 2)
    model = LinearModel.fit(rows, split, c=1.0)
    assert model.weight.tolist() == [[0, 0]] * 3
    assert scores([model.judge(rows, split)])["loss_nats_per_label"] == pytest.approx(
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    )


def test_a_set_of_labels_is_as_many_answers_of_yes_and_no(texts: Make) -> None:
    rows = SparseRows(np.arange(6) % 2, np.ones(6, np.float32), np.arange(7), 2)
    sets = texts([[0]] * 6, 1, [[0], [1], [0], [1], [0, 1], []], 2)
    found = scores([LinearModel.fit(rows, sets, c=1e9).judge(rows, sets)])
    apart = [texts([[0]] * 6, 1, [int(k in row) for row in ([0], [1], [0], [1], [0, 1], [])], 2) for k in range(2)]
    wanted = sum(scores([LinearModel.fit(rows, one, c=1e9).judge(rows, one)])["loss_nats_per_label"] for one in apart)
    assert found["loss_nats_per_row"] == pytest.approx(wanted, rel=1e-4)
