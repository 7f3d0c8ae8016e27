"""The attention of the textbook against central differences, and what it does at its edges."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.reference.attention import HeadWeights, attend, backward, multi_head, rotate, score, softmax_rows


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_gradients_are_those_of_finite_differences(random: np.random.Generator) -> None:
    Q, K, V, toward = (random.normal(size=shape) for shape in ((3, 4), (5, 4), (5, 2), (3, 2)))

    def loss() -> float:
        return float((toward * attend(Q @ K.T / 2, V)[0]).sum())

    for array, gradient in zip((Q, K, V), backward(toward, Q, K, V), strict=True):
        for place in np.ndindex(array.shape):
            kept, little = array[place], 1e-6
            array[place] = kept + little
            above = loss()
            array[place] = kept - little
            assert (above - loss()) / (2 * little) == pytest.approx(gradient[place], abs=1e-8)
            array[place] = kept


def test_large_scores_do_not_overflow_and_nothing_seen_is_nothing_taken() -> None:
    with np.errstate(over="raise", invalid="raise"):
        A = softmax_rows(np.array([[1e300, 0.0], [-np.inf, -np.inf], [-np.inf, 7.0]]))
    np.testing.assert_array_equal(A, [[1, 0], [0, 0], [0, 1]])


def test_scores_by_hand() -> None:
    q, k = np.array([3.0, 0, 0, 4]), np.array([1.0, 0, 0, 0])
    assert score("dot", q, k) == 3
    assert score("scaled_dot", q, k) == 1.5
    assert score("cosine", q, k, g=10.0) == pytest.approx(6, abs=1e-5)
    assert score("additive", q, k, w=np.array([0, 1.0, 0, 1])) == np.tanh(4)


def test_a_turned_product_knows_the_distance_alone(random: np.random.Generator) -> None:
    q, k = random.normal(size=5), random.normal(size=5)
    Q, K = rotate(np.tile(q, (9, 1))), rotate(np.tile(k, (9, 1)))
    np.testing.assert_allclose([Q[t + 3] @ K[t] for t in range(6)], Q[3] @ K[0])
    assert abs(Q[3] @ K[0] - Q[2] @ K[0]) > 1e-3


def test_one_head_for_two_is_the_same_as_two_alike(random: np.random.Generator) -> None:
    X, visible = random.normal(size=(4, 6)), np.tril(np.ones((4, 4), bool))
    W_Q, W_O = random.normal(size=(6, 6)), random.normal(size=(6, 6))
    W_K, W_V = random.normal(size=(6, 3)), random.normal(size=(6, 3))
    one = multi_head(X, X, HeadWeights(W_Q, W_K, W_V, W_O), 2, visible)
    two = multi_head(X, X, HeadWeights(W_Q, np.tile(W_K, 2), np.tile(W_V, 2), W_O), 2, visible)
    np.testing.assert_array_equal(one[0], two[0])
    assert not np.triu(one[1], 1).any()
