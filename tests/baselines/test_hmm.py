"""Hidden Markov models as an answer to each question (`test_hmm_algorithms.py`: what they are made of)."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unrolled.baselines import _hmm_model, hmm
from unrolled.baselines._emissions import Gaussian, Symbols
from unrolled.baselines.hmm import HMM
from unrolled.batch import MISSING, Continuous, Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]

# --- tags --------------------------------------------------------------------------------------------------------


def test_tags_are_counted(tagged: Make) -> None:
    steps = tagged([[0, 1, 1], [0, 2]], [[0, 1, 1], [0, MISSING]], 4, 2)
    (model,) = HMM.fit(steps).models
    of_all = np.array([3, 3]) / 6
    np.testing.assert_allclose(np.exp(model.pi), (np.array([2, 0]) + of_all) / 3)
    np.testing.assert_allclose(np.exp(model.A), (np.array([[0, 1], [0, 1]]) + of_all) / np.array([[2], [2]]))
    emission = model.emissions["w"]
    assert isinstance(emission, Symbols)
    np.testing.assert_allclose(np.exp(emission.log_p[0]), np.array([2.5, 0.5, 0.5, 0.5]) / 4)
    np.testing.assert_allclose(emission.log_p[:, 3], emission.log_p[0, 3])  # never seen: says nothing


def test_tags_know_what_stands_around_them(tagged: Make) -> None:
    """Word 0 has the tag of its row's other words, before or behind it."""
    words, tags = [[1, 0, 0, 1], [2, 0, 0, 2], [0, 1, 1], [0, 2, 0]] * 3, [[0] * 4, [1] * 4, [0] * 3, [1] * 3] * 3
    steps = tagged(words, tags, 3, 2)
    ours = scores(HMM.fit(steps).judge(steps))
    assert ours["accuracy"] == 1.0
    # Of 14 steps 7 hold word 0, 4 of them with tag 1: by itself it has so much entropy.
    assert ours["loss_nats_per_step"] < -(4 * np.log(4 / 7) + 3 * np.log(3 / 7)) / 14
    named = replace(steps, labels=("B-x", "O"))
    assert scores(HMM.fit(named).judge(named))["entity_f1"] == 1.0


def test_tags_of_numbers_and_of_several_columns() -> None:
    random, offsets = np.random.default_rng(0), np.array([0, 30, 60])
    states = np.repeat(np.tile([0, 1, 0], 2), 10)
    numbers = Encoded((2.5 * states + random.normal(size=60))[:, None].astype(np.float32), offsets)
    coin = Encoded(random.integers(0, 2, 60), offsets)
    target = Encoded(states, offsets)
    one = Examples({"n": numbers}, {"n": Continuous(1)}, target, Discrete(2), Aligned())
    both = replace(one, inputs={"n": numbers, "c": coin}, specs={"n": Continuous(1), "c": Discrete(2)})
    assert scores(HMM.fit(one).judge(one))["accuracy"] > 0.95
    assert scores(HMM.fit(both).judge(both))["accuracy"] > 0.95


def test_the_loss_is_that_of_each_step_s_own_tag(tagged: Make) -> None:
    steps = tagged([[0, 1, 2, 1], [2, 0]], [[0, 1, 1, 0], [1, MISSING]], 3, 2)
    (model,) = HMM.fit(steps).models
    pi, A, B = (np.exp(p) for p in (model.pi, model.A, model.emissions["w"].log_p))  # type: ignore[union-attr]
    nats = []
    for words, tags in (([0, 1, 2, 1], [0, 1, 1, 0]), ([2, 0], [1, None])):
        joint = {
            z: pi[z[0]]
            * np.prod([A[i, j] for i, j in itertools.pairwise(z)])
            * np.prod([B[s, w] for s, w in zip(z, words, strict=True)])
            for z in itertools.product(range(2), repeat=len(words))
        }
        for t, tag in enumerate(tags):
            if tag is not None:
                nats.append(-np.log(sum(p for z, p in joint.items() if z[t] == tag) / sum(joint.values())))
    assert scores(HMM.fit(steps).judge(steps))["loss_nats_per_step"] == pytest.approx(np.mean(nats), rel=1e-9)


# --- labels and next steps ---------------------------------------------------------------------------------------


def test_labels_by_order_alone(texts: Make) -> None:
    """As many of each token in both classes: only their order tells."""
    rows = [[0, 1] * 6, [0] * 6 + [1] * 6, [1, 0] * 6, [1] * 6 + [0] * 6] * 5
    examples = texts(rows, 2, [0, 1, 0, 1] * 5, 2)
    fitted = HMM.fit(examples)
    found = scores(fitted.judge(examples))
    assert found["accuracy"] == 1.0 and found["loss_nats_per_label"] < 0.1
    odd = texts([[], [0, 1, 0, 1]], 2, [1, 0], 2)
    assert scores(fitted.judge(odd))["accuracy"] >= 0.5


def test_long_rows_are_cut_but_answered_once(texts: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hmm, "_LONGEST", 5)
    examples = texts([[0, 1] * 9, [0, 0, 1, 1] * 4] * 6, 2, [0, 1] * 6, 2)
    assert scores(HMM.fit(examples).judge(examples))["accuracy"] == 1.0


def test_the_next_token_after_a_state(tokens: Make) -> None:
    """A period of four, of which a unigram knows nothing and a state all."""
    train, later = tokens([[0, 0, 1, 1] * 40], 2), tokens([[0, 0, 1, 1] * 20], 2)
    found = scores(HMM.fit(train).judge(later))
    assert found["loss_nats_per_token"] < 0.25 and found["accuracy"] > 0.95
    assert found["bits_per_token"] == pytest.approx(found["loss_nats_per_token"] / np.log(2))


def test_the_next_token_s_chances_sum_to_one(tokens: Make) -> None:
    fitted = HMM.fit(tokens([[0, 1, 2, 0, 2], [1, 1, 0]], 3))
    chances = []
    for last in range(3):
        found = scores(fitted.judge(tokens([[1, last]], 3)))
        chances.append(np.exp(-found["loss_nats_per_token"]))
    assert sum(chances) == pytest.approx(1, abs=1e-9)


def test_the_next_number_is_the_mean(series: Make) -> None:
    random = np.random.default_rng(1)
    wave = np.tile(np.repeat([1.0, -1.0], 8), 20)[:, None] + 0.1 * random.normal(size=(320, 1))
    found = scores(HMM.fit(series([wave], 0)).judge(series([wave], 0)))
    assert found["mse_scaled"] < 0.6 * float(np.var(wave))
    assert found["nll_nats_per_step"] < 0.5 * np.log(2 * np.pi * np.e * np.var(wave)) - 0.5  # of one Gaussian
    assert list(found) == ["nll_nats_per_step", "mse_scaled", "mae_scaled"]
    constant = scores(HMM.fit(series([np.ones((9, 1))], 0)).judge(series([np.ones((5, 1))], 0)))
    assert constant["mse_scaled"] == pytest.approx(0, abs=1e-9)


def test_steps_before_the_border_are_history(tokens: Make) -> None:
    fitted = HMM.fit(tokens([[0, 0, 1, 1] * 10], 2))
    whole = tokens([[0, 0, 1, 1] * 3], 2)
    late = scores(fitted.judge(replace(whole, first=np.array([11]))))
    assert late["loss_nats_per_token"] < 0.7 and late["accuracy"] == 1.0


# --- bounds ------------------------------------------------------------------------------------------------------


def test_what_it_applies_to(tokens: Make, tagged: Make, texts: Make, table: Make, series: Make) -> None:
    keys = series([np.ones((5, 2))], 0)
    cases = {
        "next tokens": (tokens([[0, 1]], 2), False),
        "next items": (replace(tokens([[0, 1]], 2), first_item=0), True),
        "next numbers": (series([np.arange(6.0)[:, None]], 0), True),
        "next keys": (keys, False),
        "tags": (tagged([[0]], [[0]], 1, 1), True),
        "a label": (texts([[0]], 1, [0], 2), True),
        "labels": (texts([[0]], 1, [[0]], 2), False),
        "a number": (texts([[0]], 1, [0.5], 0), False),
        "a row": (table(np.zeros((1, 1)), [0], 1, [0], 2), False),
        "a forecast": (series([np.ones((9, 1))], 2), False),
        "too many tags": (tagged([[0]], [[0]], 1, 201), False),
        "too many words of too many classes": (texts([[0]], 30_000, [0], 80), False),
    }
    assert {name: HMM.applies(examples) for name, (examples, _) in cases.items()} == {
        n: w for n, (_, w) in cases.items()
    }


def test_it_says_what_it_left_out(
    tokens: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hmm, "_FIT_STEPS", 50)
    with caplog.at_level(logging.WARNING):
        long = tokens([[0, 1, 2] * 40], 3)
        scores(HMM.fit(long).judge(long))
    assert caplog.messages == ["the hmm was fitted on 50 of 120 steps", "the hmm was scored on 50 of 120 steps"]


def test_it_is_the_same_every_time(tokens: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = tokens([[0, 1, 2, 2, 1] * 9, [2, 1]], 3)
    assert scores(HMM.fit(examples).judge(examples)) == scores(HMM.fit(examples).judge(examples))
    monkeypatch.setattr(_hmm_model, "_CHUNK", 3)
    steps = Examples(examples.inputs, examples.specs, examples.target, Discrete(3), Aligned())
    assert scores(HMM.fit(steps).judge(steps))["accuracy"] == 1.0


def test_the_density_of_the_next_number(series: Make) -> None:
    """Two rows of two steps, by hand: a missing value is not scored, a step without any is no step."""
    fitted = HMM.fit(series([np.arange(12.0).reshape(6, 2) / 6], 0))
    (model,) = fitted.models
    emission = model.emissions[""]
    assert isinstance(emission, Gaussian)
    one, two = np.array([[0.1, 0.4], [0.9, np.nan]]), np.array([[0.5, 0.2], [np.nan, np.nan]])

    def density(x: np.ndarray) -> np.ndarray:
        """(S,) of the channels that are known."""
        parts = np.exp(-np.square(x - emission.mean) / (2 * emission.variance)) / np.sqrt(2 * np.pi * emission.variance)
        return np.where(np.isnan(x), 1.0, parts).prod(1)

    after = np.exp(model.pi) * density(one[0].astype(np.float32))
    states = (after / after.sum()) @ np.exp(model.A)
    found = scores(fitted.judge(series([one, two], 0)))
    assert found["nll_nats_per_step"] == pytest.approx(-np.log(states @ density(one[1].astype(np.float32))), rel=1e-6)
    assert found["mae_scaled"] == pytest.approx(abs(states @ emission.mean[:, 0] - 0.9), rel=1e-5)
