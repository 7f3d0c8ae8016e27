"""What is measured on the models of the tour is what they compute."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import torch

from unrolled.tour.made import KEYS, NOISE, first_symbols
from unrolled.tour.observed import REMEMBERED, REVERSED, TIMED, Measured
from unrolled.tour.tiny import LONGEST_REMEMBERED, Tiny


def test_each_model_is_measured_at_every_length(tiny: Tiny, found: Measured) -> None:
    names = {"tanh RNN", "LSTM", "transformer"}
    for measured, count in ((found.remembered, len(REMEMBERED)), (found.seconds, len(TIMED))):
        assert {name: len(values) for name, values in measured.items()} == dict.fromkeys(names, count)
    assert {len(norms) for norms in found.gradients.values()} == {LONGEST_REMEMBERED}
    assert all(len(shares) == len(REVERSED) for shares in found.reversed.values())
    # embedding 11 × 4, gates 4 × 8 × (4 + 8) and two biases of 32, head 8 × 4 and 4
    assert found.weights["LSTM"] == 11 * 4 + 32 * 12 + 64 + 36
    again = tiny.lstm.evaluate(first_symbols(100, 5, 5, 1_000_000))["accuracy"]
    assert found.remembered["LSTM"][0] == again


def test_a_live_session_agrees_and_keeps_its_size_if_it_is_recurrent(found: Measured) -> None:
    assert found.agreement < 1e-6
    for name, live in found.streams.items():
        assert (live.late_bytes > live.early_bytes) == (name == "transformer")


def test_distances_and_places_are_those_of_the_embedding(tiny: Tiny, found: Measured) -> None:
    (named,) = tiny.lstm.network.embeddings().values()
    batch = tiny.lstm.batches({"symbols": [[one] for one in KEYS], "first": [*KEYS]})[0]
    ids = dict(zip(KEYS, batch.inputs["symbols"][batch.rows.argsort(), 0].tolist(), strict=True))
    vectors = {key: named.embedding.weight.detach()[ids[key]] for key in KEYS}
    keys = [float((vectors[a] - vectors[b]).norm()) for a, b in combinations(KEYS, 2)]
    assert math.isclose(found.apart[0], sum(keys) / 6, rel_tol=1e-5)
    assert {*found.places} == {*KEYS, *NOISE}
    a, b = (np.array(found.places[one]) for one in "AB")
    assert np.linalg.norm(a - b) <= float((vectors["A"] - vectors["B"]).norm()) + 1e-6


def test_attention_sums_to_one(found: Measured) -> None:
    torch.testing.assert_close(float(found.looks.sum()), 1.0, atol=1e-5, rtol=0)
    shown = found.alignment
    assert shown.weights.shape == (len(shown.read), len(shown.written)) and shown.read == shown.written[::-1]
    assert 0 <= shown.right <= 1
