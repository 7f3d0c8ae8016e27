"""Generation over toy steps whose answers are known: a row is the same alone and among others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.decoding.generate import Row, Rows, advance
from unrolled.decoding.sampling import Sampling, choose_each
from unrolled.errors import ModelError
from unrolled.models._session import PlainSession
from unrolled.models.slots import StackedPool

V = 6
WEIGHT = torch.randn(V, V, generator=torch.Generator().manual_seed(3))
ALL = [
    Sampling(seed=1),
    Sampling(seed=2, temperature=0.7, top_k=4),
    Sampling(temperature=0),
    Sampling(seed=1, top_p=0.8),
    Sampling(seed=5, temperature=3, top_k=3, top_p=0.9),
]
STARTS = torch.randn(len(ALL), V, generator=torch.Generator().manual_seed(4))


def walk(inputs: dict[str, Tensor], state: Any) -> tuple[Tensor, Any]:
    """A model whose state is the running mean of its rows of scores."""
    state = 0.5 * state + WEIGHT[inputs["x"]]
    return state, state


def rows_of(step: Any = walk) -> Rows:
    return Rows(StackedPool(step, torch.zeros(1, V)), "x", choose_each)


def alone(start: Tensor, settings: Sampling, steps: int = 12, step: Any = walk) -> list[int]:
    row, live = Row(start[None], settings), PlainSession(step, start[None])  # type: ignore[arg-type]
    found = []
    for _ in range(steps):
        advance(row, live, "x", choose_each)
        assert row.chosen is not None
        found.append(int(row.chosen))
    return found


def test_greedy_feeds_its_choice_back() -> None:
    found, state = alone(STARTS[0], Sampling(temperature=0)), STARTS[:1]
    for id_ in found:
        assert id_ == int(state.argmax())
        state = walk({"x": torch.tensor([id_])}, state)[0]


def test_the_seed_repeats() -> None:
    one, same, other = (alone(STARTS[0], Sampling(seed=seed), 40) for seed in (1, 1, 2))
    assert one == same != other


def test_rows_are_what_each_is_alone_whenever_others_come_and_go() -> None:
    rows, dice = rows_of(), np.random.default_rng(0)
    expected = {number: alone(STARTS[number % len(ALL)], ALL[number % len(ALL)]) for number in range(30)}
    live: dict[int, tuple[Row, list[int]]] = {}
    waiting = list(expected)
    while waiting or live:
        while waiting and dice.random() < 0.6:
            number = waiting.pop()
            row = Row(STARTS[number % len(ALL)][None], ALL[number % len(ALL)])
            rows.open(row, STARTS[number % len(ALL)][None])
            live[number] = row, []
        if some := [number for number in live if dice.random() < 0.7]:
            assert rows.advance([live[number][0] for number in some]) == [None] * len(some)
        for number in some:
            row, found = live[number]
            assert row.chosen is not None
            found.append(int(row.chosen))
            if len(found) == 12 or (dice.random() < 0.05):  # complete, or given up
                assert found == expected[number][: len(found)]
                rows.close(row)
                del live[number]


def test_a_step_is_taken_only_when_the_next_one_is_asked_for() -> None:
    calls = []

    def counted(inputs: dict[str, Tensor], state: Any) -> tuple[Tensor, Any]:
        calls.append(len(inputs["x"]))
        return walk(inputs, state)

    rows, some = rows_of(counted), [Row(start[None], Sampling()) for start in STARTS]
    for row, start in zip(some, STARTS, strict=True):
        rows.open(row, start[None])
    rows.advance(some)
    assert calls == []
    rows.advance(some)
    rows.advance(some[:2])
    assert calls == [5, 2]


def test_a_row_whose_scores_are_broken_is_told_and_the_others_go_on() -> None:
    def breaking(inputs: dict[str, Tensor], state: Any) -> tuple[Tensor, Any]:
        scores, state = walk(inputs, state)
        return scores.masked_fill(inputs["x"][:, None] == 3, float("nan")), state

    rows, greedy = rows_of(breaking), Sampling(temperature=0)
    starts = [torch.nn.functional.one_hot(torch.tensor([first]), V).float() for first in (1, 3, 2)]
    some = [Row(start, greedy) for start in starts]
    for row, start in zip(some, starts, strict=True):
        rows.open(row, start)
    assert rows.advance(some) == [None] * 3
    good, broken, also_good = rows.advance(some)
    assert good is None and also_good is None
    assert isinstance(broken, ModelError) and "the scores are not finite" in str(broken)
    assert [int(row.chosen) for row in (some[0], some[2])] == [  # type: ignore[arg-type]
        alone(start[0], greedy, 2)[1] for start in (starts[0], starts[2])
    ]


def test_no_graph_is_kept_and_the_callers_gradient_mode_stays() -> None:
    weight, seen = torch.nn.Parameter(torch.eye(V)), []

    def learned(inputs: dict[str, Tensor], state: Any) -> tuple[Tensor, Any]:
        logits = weight[inputs["x"]]
        seen.append(logits.requires_grad)
        return logits, state

    alone(STARTS[0], Sampling(), 3, learned)
    rows, row = rows_of(learned), Row(STARTS[:1], Sampling())
    rows.open(row, STARTS[:1])
    for _ in range(2):
        rows.advance([row])
    assert torch.is_grad_enabled()
    assert seen == [False] * 3


def test_a_draw_may_leave_ids_out() -> None:
    banned: Any = partial(choose_each, banned=[0, 5])
    rows, some = Rows(StackedPool(walk, torch.zeros(1, V)), "x", banned), [Row(STARTS[:1], Sampling(temperature=5))]  # type: ignore[arg-type]
    rows.open(some[0], STARTS[:1])
    found: Sequence[int] = [int(some[0].chosen) for _ in range(60) if rows.advance(some) and some[0].chosen is not None]
    assert len(found) == 60 and {*found} <= {1, 2, 3, 4}


@pytest.mark.parametrize("count", [1, 3, 17])
def test_slots_are_used_again_and_hold_nothing_of_who_was_there(count: int) -> None:
    pool = StackedPool(walk, torch.zeros(1, V))  # type: ignore[arg-type]
    rows = Rows(pool, "x", choose_each)
    for _ in range(3):
        some = [Row(STARTS[:1], Sampling()) for _ in range(count)]
        for row in some:
            rows.open(row, STARTS[:1])
        assert sorted(row.slot for row in some) == sorted({row.slot for row in some})
        rows.advance(some)
        for row in some:
            rows.close(row)
    assert not pool.read(np.arange(count)).any()
