"""The linear model of plain rows against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unrolled.baselines.linear import Linear
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]
RNG = np.random.default_rng(0)


def oracle() -> Any:
    return pytest.importorskip("sklearn.linear_model", reason="scikit-learn is the oracle of this test")


def random_table(table: Make, classes: int) -> tuple[Examples, np.ndarray, np.ndarray]:
    numbers, categories = RNG.normal(size=(200, 3)), RNG.integers(0, 4, 200)
    dense = np.concatenate([numbers, np.eye(4)[categories]], 1)
    scores = dense @ RNG.normal(size=(7, max(classes, 1))) + RNG.normal(size=(200, max(classes, 1)))
    target = scores.argmax(1) if classes else scores[:, 0].astype(np.float32)
    return table(numbers, categories, 4, target, classes), dense, target


@pytest.mark.parametrize("classes", [2, 4])
def test_linear_equals_scikit_learns_logistic_regression(table: Make, classes: int) -> None:
    sk = oracle()
    rows, dense, target = random_table(table, classes)
    # of two classes scikit-learn penalises one weight vector w = w1 - w0; here w1 = -w0 = w / 2: half the penalty
    wanted = sk.LogisticRegression(C=2.0 if classes == 2 else 1.0, max_iter=2_000, tol=1e-9).fit(dense, target)
    found = scores(Linear.fit(rows).judge(rows))
    logs = wanted.predict_log_proba(dense)
    assert found["loss_nats_per_label"] == pytest.approx(-logs[np.arange(200), target].mean(), rel=1e-3)
    assert found["accuracy"] == pytest.approx(wanted.score(dense, target), abs=0.011)


def test_linear_equals_scikit_learns_ridge(table: Make) -> None:
    sk = oracle()
    rows, dense, target = random_table(table, 0)
    wanted = sk.Ridge(alpha=1.0).fit(dense, target)
    found = scores(Linear.fit(rows).judge(rows))
    assert found["r2"] == pytest.approx(wanted.score(dense, target), rel=1e-4)
    assert found["mse"] == pytest.approx(np.square(wanted.predict(dense) - target).mean(), rel=1e-4)


def test_what_it_applies_to(tokens: Make, tagged: Make, texts: Make, table: Make) -> None:
    text, row = texts([[0]], 1, [0], 2), table(np.zeros((1, 1)), [0], 1, [0], 2)
    steps, words, number = tagged([[0]], [[0]], 1, 1), tokens([[0]], 1), texts([[0]], 1, [0.5], 0)
    assert [Linear.applies(examples) for examples in (text, row, steps, words, number)] == [
        False,
        True,
        False,
        False,
        False,
    ]
