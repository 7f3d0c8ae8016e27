"""Keys that are held."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from unrolled.baselines.marginals import Marginals
from unrolled.baselines.repeat import Repeat
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]


def piano(seed: int, steps: int = 400) -> np.ndarray:
    """Four keys that are held for long, in one row."""
    random = np.random.default_rng(seed)
    keys = np.zeros((steps, 4))
    for step in range(1, steps):
        keys[step] = np.where(random.random(4) < 0.1, random.random(4) < 0.3, keys[step - 1])
    return keys


def test_repeat_counts_what_follows_on_off_and_missing(series: Make) -> None:
    keys = np.array([[0], [0], [1], [1], [1], [0], [np.nan], [1]])
    baseline = Repeat.fit(series([keys], 0))
    np.testing.assert_allclose(baseline.probabilities[:, 0], [2 / 4, 3 / 5, 2 / 3])
    part = np.array([[1], [1], [0]])
    assert scores(baseline.judge(series([part], 0)))["nll_nats_per_step"] == pytest.approx(-math.log(3 / 5 * 2 / 5) / 2)


def test_repeat_beats_marginals_where_notes_are_held(series: Make) -> None:
    train, part = series([piano(0), piano(1)], 0), series([piano(2)], 0)
    held = scores(Repeat.fit(train).judge(part))["nll_nats_per_step"]
    assert held < 0.7 * scores(Marginals.fit(train).judge(part))["nll_nats_per_step"]


def test_what_it_applies_to(series: Make, tokens: Make, texts: Make) -> None:
    keys, real = np.array([[0.0], [1.0], [1.0]]), np.array([[0.5], [1.0], [2.0]])
    hot, curve, ahead = series([keys], 0), series([real], 0), series([keys], 1)
    words, number = tokens([[0, 1]], 2), texts([[0]], 1, [0.5], 0)
    assert [Repeat.applies(examples) for examples in (hot, curve, ahead, words, number)] == [
        True,
        False,
        False,
        False,
        False,
    ]
