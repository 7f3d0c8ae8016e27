"""The frequency of each key."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines.marginals import Marginals
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def test_marginals_are_each_keys_frequency(series: Make) -> None:
    keys = np.array([[0, 1], [1, 1], [1, 0], [1, 0]])
    baseline = Marginals.fit(series([keys], 0))
    np.testing.assert_allclose(baseline.probabilities, [4 / 5, 2 / 5])
    part = np.array([[0, 0], [1, 1]])
    assert scores(baseline.judge(series([part], 0)))["nll_nats_per_step"] == pytest.approx(-math.log(4 / 5 * 2 / 5))


def test_what_it_applies_to(series: Make, tokens: Make, texts: Make) -> None:
    keys, real = np.array([[0.0], [1.0], [1.0]]), np.array([[0.5], [1.0], [2.0]])
    hot, curve, ahead = series([keys], 0), series([real], 0), series([keys], 1)
    words, number = tokens([[0, 1]], 2), texts([[0]], 1, [0.5], 0)
    assert [Marginals.applies(examples) for examples in (hot, curve, ahead, words, number)] == [
        True,
        False,
        False,
        False,
        False,
    ]
