"""Generation over toy steps whose answers are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unrolled.decoding.generate import generate
from unrolled.decoding.sampling import Sampling
from unrolled.errors import ModelError, UsageError

V = 6
WEIGHT = torch.randn(V, V, generator=torch.Generator().manual_seed(3))


def walk(ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """A model whose state is the running mean of its rows of scores."""
    state = 0.5 * state + WEIGHT[ids]
    return state, state


def sample(rows: int, settings: Sampling, *, steps: int = 12, end: int | None = None) -> Tensor:
    start = torch.zeros(rows, V)
    told = generate(walk, start, start, steps=steps, end=end, settings=settings, generator=settings.generator())
    return torch.stack(list(told), 1)


def test_greedy_feeds_its_choice_back() -> None:
    ids = sample(1, Sampling(temperature=0))[0].tolist()
    state = torch.zeros(1, V)
    for index, token in enumerate(ids):
        assert token == int(state.argmax())
        state = walk(torch.tensor([ids[index]]), state)[0]
    assert len(ids) == 12


def test_the_seed_repeats() -> None:
    assert torch.equal(sample(4, Sampling(seed=1)), sample(4, Sampling(seed=1)))
    assert not torch.equal(sample(4, Sampling(seed=1)), sample(4, Sampling(seed=2)))


def test_greedy_rows_are_the_same_alone_and_in_company() -> None:
    starts = torch.randn(5, V, generator=torch.Generator().manual_seed(4))
    settings = Sampling(temperature=0)

    def tokens(start: Tensor) -> Tensor:
        told = generate(walk, start, start, steps=9, end=None, settings=settings, generator=settings.generator())
        return torch.stack(list(told), 1)

    assert torch.equal(tokens(starts), torch.cat([tokens(start[None]) for start in starts]))


def test_one_row_equals_a_loop_with_the_same_generator() -> None:
    settings = Sampling(temperature=0.7, top_k=4, seed=8)
    generator = settings.generator()
    state = torch.zeros(1, V)
    wanted = []
    for _ in range(12):
        ids = next(generate(walk, state, state, steps=1, end=None, settings=settings, generator=generator))
        wanted.append(int(ids))
        state, _ = walk(ids, state)
    assert sample(1, settings)[0].tolist() == wanted


def test_a_finished_row_keeps_yielding_the_end_and_all_finished_stops() -> None:
    def count(ids: Tensor, state: None) -> tuple[Tensor, None]:
        return torch.nn.functional.one_hot((ids + 1) % V, V) * 9.0, state

    first = torch.nn.functional.one_hot(torch.tensor([1, 3]), V) * 9.0
    settings = Sampling(temperature=0)
    told = generate(count, None, first, steps=50, end=4, settings=settings, generator=settings.generator())
    assert [ids.tolist() for ids in told] == [[1, 3], [2, 4], [3, 4], [4, 4]]


def test_a_row_does_not_change_when_another_ends() -> None:
    free, ended = sample(3, Sampling(seed=9)), sample(3, Sampling(seed=9), end=2)
    assert ended.shape[1] <= free.shape[1]
    for row in range(3):
        for step in range(ended.shape[1]):
            if free[row, step] == 2:
                break
            assert free[row, step] == ended[row, step]


def test_steps_bound_the_length_and_the_last_token_costs_no_step() -> None:
    calls = []

    def counted(ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(1)
        return walk(ids, state)

    start = torch.zeros(2, V)
    settings = Sampling()
    told = list(generate(counted, start, start, steps=5, end=None, settings=settings, generator=settings.generator()))
    assert len(told) == 5
    assert len(calls) == 4
    none = generate(counted, start, start, steps=0, end=None, settings=settings, generator=settings.generator())
    assert list(none) == []


def test_tokens_come_as_they_are_made() -> None:
    def broken(ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full((1, V), float("nan")), state

    start = torch.zeros(1, V)
    told = generate(broken, start, start, steps=3, end=None, settings=Sampling(), generator=Sampling().generator())
    assert next(told).shape == (1,)
    with pytest.raises(ModelError, match="row 0: the scores are not finite"):
        next(told)


def test_no_graph_is_kept_and_the_callers_gradient_mode_stays() -> None:
    weight = torch.nn.Parameter(torch.eye(V))
    seen = []

    def learned(ids: Tensor, state: None) -> tuple[Tensor, None]:
        logits = weight[ids]
        seen.append(logits.requires_grad)
        return logits, state

    chance = torch.Generator()
    for _ in generate(learned, None, torch.zeros(1, V), steps=3, end=None, settings=Sampling(), generator=chance):
        assert torch.is_grad_enabled()
    assert seen == [False, False]


def test_banned_ids_are_not_generated() -> None:
    start = torch.zeros(1, V)
    hot, chance = Sampling(temperature=5), torch.Generator()
    told = generate(walk, start, start, steps=60, end=None, settings=hot, generator=chance, banned=[0, 5])
    assert {int(ids) for ids in told} <= {1, 2, 3, 4}


def test_negative_steps_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="steps is -1, expected 0 or more"):
        generate(walk, None, torch.zeros(1, V), steps=-1, end=None, settings=Sampling(), generator=torch.Generator())
