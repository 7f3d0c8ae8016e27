"""Sparse rows against dense ones."""

from __future__ import annotations

import numpy as np
import torch

from unrolled.solved._sparse_rows import SparseRows


def test_they_multiply_take_rows_and_are_transposed() -> None:
    rows = SparseRows(np.array([2, 0, 1, 2]), np.array([1, 2, 3, 4], np.float32), np.array([0, 1, 1, 4]), 3)
    dense = np.array([[0, 0, 1], [0, 0, 0], [2, 3, 4]])
    weight = np.random.default_rng(0).normal(size=(3, 2))
    np.testing.assert_allclose(rows.times(torch.from_numpy(weight)).numpy(), dense @ weight)
    taken = rows.take(np.array([2, 1, 0, 2]))
    np.testing.assert_allclose(taken.times(torch.from_numpy(weight)).numpy(), dense[[2, 1, 0, 2]] @ weight)
    np.testing.assert_allclose(rows.transposed().times(torch.from_numpy(weight)).numpy(), dense.T @ weight)
