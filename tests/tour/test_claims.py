"""A claim holds where the numbers say so, and says so where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unrolled.tour.claims import claims
from unrolled.tour.clipping import Descent
from unrolled.tour.observed import REMEMBERED, REVERSED, TIMED, Measured, Stream

_LENGTHS = len(REMEMBERED)
_SHARES = [1.0] * len(REVERSED)
_FADING, _LASTING = tuple(np.geomspace(1, 1e-6, 30)), (1.0,) * 30
_CALM, _WILD = Descent((1.0, 0.5), (2.0, 1.0)), Descent((1.0, float("inf")), (2.0, 1e9))
_STEADY, _SLOWER = Stream(10.0, 10.0, 500, 500), Stream(10.0, 20.0, 500, 500)
_GROWING = Stream(10.0, 10.0, 500, 5_000)

# name -> what is measured where it comes true, and where it does not
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "recurrence": ({"agreement": 1e-7}, {"agreement": 1e-3}),
    "embeddings": ({"apart": (2.0, 1.0)}, {"apart": (1.0, 2.0)}),
    "vanishing gradients": (
        {"gradients": {"tanh RNN": _FADING, "LSTM": _LASTING}},
        {"gradients": {"tanh RNN": _LASTING, "LSTM": _LASTING}},
    ),
    "exploding gradients": ({"unclipped": _WILD, "clipped": _CALM}, {"unclipped": _CALM, "clipped": _CALM}),
    "the bottleneck": (
        {"reversed": {"with attention": _SHARES, "without attention": [0.5] * len(REVERSED)}},
        {"reversed": {"with attention": _SHARES, "without attention": [0.9] * len(REVERSED)}},
    ),
    "transformers": ({"first_weight": 0.9}, {"first_weight": 0.1}),
    "a continuous stream": (
        {"streams": {"LSTM": _STEADY, "transformer": _GROWING}},
        {"streams": {"LSTM": _SLOWER, "transformer": _GROWING}},
    ),
    "parallel training": (
        {"seconds": {"LSTM": [0.2] * len(TIMED), "transformer": [0.1] * len(TIMED)}},
        {"seconds": {"LSTM": [0.1] * len(TIMED), "transformer": [0.2] * len(TIMED)}},
    ),
    "long memory": (
        {"remembered": {"tanh RNN": [0.2] * _LENGTHS, "LSTM": [1.0] * _LENGTHS}},
        {"remembered": {"tanh RNN": [0.2] * _LENGTHS, "LSTM": [1.0] * (_LENGTHS - 1) + [0.5]}},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_claim_follows_from_what_is_measured(found: Measured, name: str) -> None:
    true, false = (claims(replace(found, **changed))[name] for changed in CASES[name])
    assert true.holds and str(true) == true.sentence
    assert not false.holds and str(false) == f"it did not come true in this run: {false.sentence}"


def test_the_numbers_are_in_the_sentences(found: Measured) -> None:
    told = claims(
        replace(
            found,
            unclipped=_WILD,
            clipped=_CALM,
            remembered={"tanh RNN": [0.2] * _LENGTHS, "LSTM": [1.0] * _LENGTHS},
            gradients={"tanh RNN": _FADING, "LSTM": _LASTING},
        )
    )
    assert told["exploding gradients"].sentence == (
        "without clipping the norm of the gradient grows to 1.0e+09 and training breaks off at step 2; with each gradient "
        "clipped to a norm of 1, the same training reaches step 2 with a loss of 0.5."
    )
    assert "tanh RNN: none, LSTM: 240 steps" in told["long memory"].sentence
    assert (
        "1e-06 reaches the first step, 29 steps back, in the tanh RNN, and 1 in" in told["vanishing gradients"].sentence
    )


def test_gates_and_attention_are_judged_by_the_trace(found: Measured) -> None:
    told = claims(found)
    gates = found.traces["LSTM"]["layer 1, forget gate"][1:].prod(0)
    assert told["gates"].holds == (float(gates.max()) >= 0.5)
    assert f"unit {int(gates.argmax())} multiply to {float(gates.max()):.2f}" in told["gates"].sentence
    assert told["attention"].holds == (found.alignment.right >= 0.95)
