"""Linear models of sparse rows: right weights, a penalty that fits the data, honest probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.solved._linear_rows import fit_linear
from unrolled.solved._sparse_rows import SparseRows


def rows_of(dense: np.ndarray) -> SparseRows:
    at, ids = dense.nonzero()
    offsets = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=len(dense)))])
    return SparseRows(ids, dense[at, ids].astype(np.float32), offsets, dense.shape[1])


def accuracy(outputs: Tensor, target: Tensor) -> float:
    return float((outputs.argmax(1) == target).float().mean())


def minus_mse(outputs: Tensor, target: Tensor) -> float:
    return -float((outputs - target).square().mean())


def words(count: int, seed: int = 0) -> tuple[np.ndarray, Tensor]:
    """Rows of 12 words, of which two say the label with a chance of 0.8."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 2, count)
    dense = (random.random((count, 12)) < 0.3).astype(np.float32)
    told = random.random(count) < 0.8
    dense[:, 0], dense[:, 1] = label * told, (1 - label) * told
    return dense, torch.from_numpy(label)


def test_a_matrix_turned_over_has_its_columns_as_rows() -> None:
    dense = (np.arange(12).reshape(4, 3) % 5).astype(np.float32)
    turned = rows_of(dense).transposed()
    assert turned.size == 4
    assert turned.times(torch.eye(4)).tolist() == dense.T.tolist()


@pytest.mark.parametrize("balanced", [False, True])
def test_what_tells_the_label_has_the_weight(balanced: bool) -> None:
    dense, label = words(400)
    found = fit_linear(rows_of(dense), label, 2, "label", accuracy, balanced=balanced, seed=0)
    gap = found.weight[:, 1] - found.weight[:, 0]
    assert gap[0] > 2 and gap[1] < -2 and gap[2:].abs().max() < 0.5 * gap[0]
    later, right = words(400, 1)
    outputs = rows_of(later).times(found.weight) + found.bias
    assert accuracy(outputs, right) > 0.85
    assert float(torch.nn.functional.cross_entropy(outputs, right)) < 0.4  # never too sure: a temperature that fits


def test_probabilities_are_as_often_right_as_they_say() -> None:
    random = np.random.default_rng(0)
    dense = (random.random((300, 200)) < 0.05).astype(np.float32)  # nothing but noise: two labels, one of 7 in 10
    label = torch.from_numpy((random.random(300) < 0.7).astype(np.int64))
    found = fit_linear(rows_of(dense), label, 2, "label", accuracy, balanced=False, seed=0)
    later = (random.random((2000, 200)) < 0.05).astype(np.float32)
    chances = torch.softmax(rows_of(later).times(found.weight) + found.bias, 1)
    assert float(chances.max(1).values.mean()) < 0.8


def test_numbers_and_sets() -> None:
    random = np.random.default_rng(0)
    dense = (random.random((300, 5)) < 0.5).astype(np.float32)
    wanted = torch.tensor([1.0, -2.0, 0.0, 0.5, 3.0])
    number = torch.from_numpy(dense) @ wanted[:, None] + 1
    found = fit_linear(rows_of(dense), number, 1, "number", minus_mse, balanced=False, seed=0)
    assert torch.allclose(found.weight[:, 0], wanted, atol=0.1) and float(found.bias[0]) == pytest.approx(1, abs=0.1)
    sets = torch.from_numpy(dense[:, :3])
    found = fit_linear(rows_of(dense), sets, 3, "set", minus_mse, balanced=False, seed=0)
    assert ((rows_of(dense).times(found.weight) + found.bias > 0) == (sets > 0)).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_rows_and_one_label_only(count: int) -> None:
    dense = np.ones((count, 3), np.float32)
    found = fit_linear(
        rows_of(dense), torch.zeros(count, dtype=torch.int64), 2, "label", accuracy, balanced=True, seed=0
    )
    outputs = rows_of(dense).times(found.weight) + found.bias
    assert outputs.isfinite().all() and (outputs.argmax(1) == 0).all()


def test_the_same_seed_gives_the_same_model() -> None:
    dense, label = words(100)
    first, again = (fit_linear(rows_of(dense), label, 2, "label", accuracy, balanced=True, seed=3) for _ in range(2))
    assert torch.equal(first.weight, again.weight) and first[2:] == again[2:]
