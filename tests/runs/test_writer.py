"""Texts that are written together: each is the one that is written alone, in every family of models."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from samples import SAMPLES, network_for

from unrolled.errors import DataError, UsageError
from unrolled.models.model import Model
from unrolled.runs.writer import Asked, Writer, Writing

TASK = SAMPLES["next_step"].ask()
FAMILIES = ["rnn", "gru", "lstm", "mingru", "minlstm", "deltanet", "transformer", "window"]
ASKED = [
    Asked("ab", 30, (), {"seed": 1, "temperature": 4.0}),
    Asked("", 30, (), {"seed": 1, "temperature": 9.0, "top_k": 3}),
    Asked("c", 12, (), {"temperature": 0.0}),
    Asked("abcab", 20, (), {"seed": 4, "temperature": 5.0, "top_p": 0.8}, likeliest=2),
    Asked("b", 0),
    Asked("ab", 20, ("aba", "cc"), {"seed": 3, "temperature": 9.0}),
    *(Asked("ab", 20, (), {"seed": seed, "temperature": 9.0}) for seed in range(10, 16)),
]


@cache
def network_of(model: str) -> Model:
    """Weights whose scores differ much from step to step."""
    torch.manual_seed(4)
    network = network_for(TASK, model, hidden=12).eval()
    for weight in network.parameters():
        weight.data += 0.7 * torch.randn_like(weight)
    return network


def writer(model: str, **more: int) -> Writer:
    return Writer(TASK, network_of(model), **more)


@pytest.mark.parametrize("model", FAMILIES)
def test_texts_that_are_written_together_are_those_that_are_written_alone(model: str) -> None:
    one = writer(model)
    alone = ["".join(one.alone(asked)) for asked in ASKED]
    together = [""] * len(ASKED)
    for number, piece in one.together(ASKED):
        together[number] += piece
    assert together == alone
    assert sum(map(len, alone)) > 15


@pytest.mark.parametrize("model", FAMILIES)
def test_a_text_does_not_depend_on_who_comes_and_goes(model: str) -> None:
    one = writer(model)
    alone = "".join(one.alone(ASKED[1]))
    early = [one.begin(asked) for asked in ASKED[:1] * 3]
    one.advance(early)
    mine = one.begin(ASKED[1])
    found = ""
    for turn in range(40):
        if mine.reason is not None:
            break
        others = early[turn % 2 :] if turn < 4 else []
        if turn == 4:
            for other in early:
                one.end(other)
            early = [one.begin(ASKED[3])]
        found += str(one.advance([*others, mine])[-1])
    assert found == alone


def test_what_is_known_of_a_text() -> None:
    one = writer("gru")
    long, none, told = (one.begin(asked) for asked in (ASKED[0], ASKED[4], ASKED[3]))
    assert (long.reason, none.reason) == (None, "length")
    assert long.read >= 2
    while told.reason is None:
        one.advance([told])
    best = [max(token.likeliest.values()) for token in told.tokens]
    assert all(token.nats <= top and len(token.likeliest) == 2 for token, top in zip(told.tokens, best, strict=True))


def test_a_stop_ends_a_text_before_it() -> None:
    one = writer("minlstm")
    whole = "".join(one.alone(Asked("ab", 30, (), {"seed": 10, "temperature": 9.0})))
    stop = whole[2:4]
    assert stop
    writing: Writing = one.begin(Asked("ab", 30, (stop,), {"seed": 10, "temperature": 9.0}))
    found = ""
    while writing.reason is None:
        found += str(one.advance([writing])[0])
    assert (found, writing.reason) == (whole[: whole.index(stop)], "stop")


def test_what_cannot_be_written_is_refused_before_a_step() -> None:
    one = writer("gru", most_read=4)
    with pytest.raises(DataError, match=r"^the prompt: has \d+ tokens, at most 4 are read"):
        one.alone(Asked("abcabcab", 3))
    with pytest.raises(UsageError, match="temperature must be at least 0"):
        one.together([Asked("a", 3), Asked("a", 3, (), {"temperature": -1})])
    forecast = SAMPLES["forecast"].ask()
    with pytest.raises(UsageError, match="generate only works with the task 'next_step'"):
        Writer(forecast, network_of("gru")).begin(Asked("a", 3))
