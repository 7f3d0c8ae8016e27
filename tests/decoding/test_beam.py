"""Beam search against enumeration, against a plain search of one input in lists, and against greedy generation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.batch import Discrete
from unrolled.decoding.beam import Beam, beam_search
from unrolled.decoding.hypothesis import Hypothesis
from unrolled.decoding.sampling import Sampling, choose
from unrolled.errors import ModelError, ShapeError, UsageError
from unrolled.models.network import Network

V, END = 5, 2


def model(seed: int, size: int = V) -> Tensor:
    return 2 * torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Walk:
    """A model whose state is the running mean of its rows of scores; it counts the rows that it is asked for."""

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.rows = weight, list[int]()

    def __call__(self, ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        self.rows.append(len(ids))
        state = 0.5 * state + self.weight[ids]
        return state, state


def starts(rows: int, seed: int = 4, size: int = V) -> Tensor:
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def search(start: Tensor, weight: Tensor, settings: Beam, **options: Any) -> list[list[Hypothesis]]:
    return beam_search(Walk(weight), start, start, end=END, settings=settings, **options)


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max()
    return x - math.log(np.exp(x).sum())


def plain(
    start: np.ndarray, weight: np.ndarray, s: Beam, banned: Sequence[int] = (), prefix: Sequence[int] = ()
) -> list[tuple[list[int], float, float]]:
    """Beam search of one input as a textbook has it: lists, all continuations sorted, no early stop."""

    def merit(score: float, length: int) -> float:
        return score / ((5 + length) / 6) ** s.length_penalty

    def allowed(ids: list[int], token: int) -> bool:
        if len(ids) == s.max_length:
            return token == END
        if len(ids) < len(prefix):
            return token == prefix[len(ids)]
        if token in banned or (token == END and len(ids) < s.min_length):
            return False
        n, new = s.no_repeat_ngram, [*ids, token]
        return token == END or not n or new[-n:] not in [ids[i : i + n] for i in range(len(ids) - n + 1)]

    open_, found = [([], 0.0, start)], []
    while open_ and len(found) < s.width:
        candidates = [
            (score + float(log_softmax(state)[token]), ids, token, state)
            for ids, score, state in open_
            for token in range(len(start))
            if allowed(ids, token)
        ]
        candidates.sort(key=lambda one: (-one[0], [*one[1], one[2]]))
        found += [(ids, score, merit(score, len(ids))) for score, ids, t, _ in candidates[: s.width] if t == END]
        going = [(score, ids, t, state) for score, ids, t, state in candidates if t != END][: s.width]
        open_ = [([*ids, t], score, 0.5 * state + weight[t]) for score, ids, t, state in going]
    return sorted(found, key=lambda one: (-one[2], one[0]))[: s.n_best]


def assert_same(found: list[Hypothesis], wanted: list[tuple[list[int], float, float]]) -> None:
    assert [one.ids for one in found] == [ids for ids, _, _ in wanted]
    assert [one.score for one in found] == pytest.approx([score for _, score, _ in wanted], rel=1e-9)
    assert [one.merit for one in found] == pytest.approx([merit for _, _, merit in wanted], rel=1e-9)


@pytest.mark.parametrize("alpha", [0, 0.6, 2])
def test_a_beam_as_wide_as_everything_is_exhaustive(alpha: float) -> None:
    size, longest = 4, 3
    weight, start = model(1, size), starts(1, size=size)
    every = []
    for length in range(longest + 1):
        for ids in itertools.product([t for t in range(size) if t != END], repeat=length):
            state, score = start[0].numpy(), 0.0
            for token in (*ids, END):
                score += float(log_softmax(state)[token])
                state = 0.5 * state + weight[token].numpy()
            every.append((list(ids), score, score / ((5 + length) / 6) ** alpha))
    every.sort(key=lambda one: -one[2])
    assert len(every) == 40
    width = size**longest
    settings = Beam(width=width, n_best=40, max_length=longest, length_penalty=alpha)
    assert_same(search(start, weight, settings)[0], every)


OPTIONS: list[dict[str, Any]] = [
    {"width": 1},
    {"width": 3, "n_best": 3, "length_penalty": 0},
    {"width": 4, "n_best": 2, "length_penalty": 1.5},
    {"width": 3, "n_best": 2, "min_length": 4},
    {"width": 3, "no_repeat_ngram": 1, "n_best": 3},
    {"width": 4, "no_repeat_ngram": 2, "min_length": 5},
    {"width": 3, "no_repeat_ngram": 3, "n_best": 3, "max_length": 12, "min_length": 9},
    {"width": 50, "n_best": 7, "max_length": 4},
]


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("options", OPTIONS)
def test_it_finds_what_a_plain_search_finds(options: dict[str, Any], early: bool) -> None:
    for seed in range(12):
        settings = Beam(**{"max_length": 7, "early_stop": early, **options})
        weight, start = model(seed), starts(3, seed)
        weight[:, END] -= seed % 3  # models that end early and models that hardly ever do
        for row, one in zip(search(start, weight, settings), start.numpy(), strict=True):
            assert_same(row, plain(one, weight.numpy(), settings))


def test_bans_and_a_prefix_of_each_input() -> None:
    weight, start = model(3), starts(4)
    settings = Beam(width=3, n_best=3, max_length=6, no_repeat_ngram=2)
    prefix = [[], [4, 4], [1], [0, 3, 0, 3]]
    rows = search(start, weight, settings, banned=[0], prefix=prefix)
    for row, one, begun in zip(rows, start.numpy(), prefix, strict=True):
        assert_same(row, plain(one, weight.numpy(), settings, [0], begun))
        for found in row:
            assert found.ids[: len(begun)] == begun  # what is forced is neither banned nor a repetition
            assert 0 not in found.ids[len(begun) :]
    shared = search(start, weight, settings, prefix=[4, 1])
    assert shared == search(start, weight, settings, prefix=[[4, 1]] * 4)
    assert all(found.ids[:2] == [4, 1] for row in shared for found in row)


def test_width_1_is_greedy_generation() -> None:
    greedy, most = Sampling(temperature=0), 9
    for seed in range(20):
        weight, start = model(seed).float(), starts(6, seed).float()
        step, scores, state, ids = Walk(weight), start, start, []
        for _ in range(most):
            ids.append(choose(scores, greedy, greedy.generator(), banned=[1]))
            scores, state = step(ids[-1], state)
        texts = torch.stack(ids, 1).tolist()
        wanted = [text[: text.index(END)] if END in text else text for text in texts]
        for alpha in (0, 3):
            settings = Beam(width=1, max_length=most, length_penalty=alpha)
            assert [row[0].ids for row in search(start, weight, settings, banned=[1])] == wanted


def test_scores_that_differ_below_rounding_are_told_apart_as_greedy_does() -> None:
    start = torch.zeros(1, 40_000)
    start[0, 7] = 1e-7  # as log-probabilities of about -10.6 the two are one number
    assert start.log_softmax(1)[0, 6] == start.log_softmax(1)[0, 7]
    for width in (1, 3):
        settings = Beam(width=width, n_best=width, max_length=1, length_penalty=0)
        stay = beam_search(lambda ids, s: (start.expand(len(ids), -1), s), None, start, end=END, settings=settings)
        assert [one.ids for one in stay[0]] == [[7], [0], [1]][:width]


def test_a_row_is_the_same_alone_and_in_company() -> None:
    weight, start = model(9), starts(7)
    settings = Beam(width=3, n_best=3, max_length=10)
    together = search(start, weight, settings)
    assert together == [search(one[None], weight, settings)[0] for one in start]
    assert together[::-1] == search(start.flip(0), weight, settings)
    assert len({len(row[0].ids) for row in together}) > 2


def test_a_recurrent_network_searches_many_inputs_as_one_by_one() -> None:
    torch.manual_seed(2)
    network = (
        Network({"text": Discrete(8)}, model_config(name="gru", hidden=6), outputs=8, pooled=False).double().eval()
    )
    for weight in network.parameters():
        torch.nn.init.normal_(weight)

    def step(ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        return network.step({"text": ids}, state)

    with torch.no_grad():
        logits, state = network.step({"text": torch.arange(8)}, network.initial_state(8))
        settings = Beam(width=4, n_best=4, max_length=12)
        together = beam_search(step, state, logits, end=END, settings=settings)
        for row in range(8):
            first, begun = network.step({"text": torch.tensor([row])}, network.initial_state(1))
            (alone,) = beam_search(step, begun, first, end=END, settings=settings)
            assert_same(together[row], [tuple(one) for one in alone])
            for one in alone:  # each hypothesis has the state of its own ids: its score is that of reading it
                ids = torch.tensor([[row, *one.ids]])
                read, _ = network({"text": ids}, torch.tensor([ids.shape[1]]))
                nats = read.log_softmax(2)[0].gather(1, torch.tensor([*one.ids, END])[:, None]).sum()
                assert one.score == pytest.approx(float(nats), rel=1e-9)


def test_finished_inputs_cost_nothing() -> None:
    size = 30
    weight = torch.full((size, size), -20.0).diagonal_scatter(torch.full((size - 1,), 20.0), 1)  # after i comes i + 1
    walk = Walk(weight)
    start = 20.0 * torch.nn.functional.one_hot(torch.tensor([28, 3, 20]), size)
    settings = Beam(width=1, max_length=40)
    told = beam_search(walk, start, start, end=size - 1, settings=settings)
    assert [len(row[0].ids) for row in told] == [1, 26, 9]
    assert walk.rows == [3] + [2] * 8 + [1] * 17


def test_an_early_stop_saves_steps_and_changes_nothing() -> None:
    saved = 0
    for seed in range(10):
        weight, start = model(seed), starts(5, seed)
        start[:, END] += 4  # the best ends soon, and to fill the beam takes long
        weight[:, END] -= 4
        early, late = Walk(weight), Walk(weight)
        stop, go_on = (Beam(width=4, n_best=1, max_length=30, early_stop=early_stop) for early_stop in (True, False))
        one = beam_search(early, start, start, end=END, settings=stop)
        assert one == beam_search(late, start, start, end=END, settings=go_on)
        saved += sum(late.rows) - sum(early.rows)
    assert saved > 100


def test_the_length_penalty_is_that_of_its_formula() -> None:
    for one in search(starts(1), model(2), Beam(width=4, n_best=4, length_penalty=0.8))[0]:
        assert one.merit == pytest.approx(one.score / ((5 + len(one.ids)) / 6) ** 0.8, rel=1e-12)


def test_of_equal_hypotheses_the_lower_ids_come_first() -> None:
    flat = torch.zeros(3, 9)

    def indifferent(ids: Tensor, state: None) -> tuple[Tensor, None]:
        return torch.zeros(len(ids), 9), state

    settings = Beam(width=3, n_best=3, max_length=2, min_length=2, length_penalty=0)
    rows = beam_search(indifferent, None, flat, end=END, settings=settings)
    assert [[one.ids for one in row] for row in rows] == [[[0, 0], [0, 1], [0, 3]]] * 3
    greedy = Beam(width=1, max_length=3)
    assert beam_search(indifferent, None, flat, end=0, settings=greedy)[0][0].ids == []
    assert beam_search(indifferent, None, flat, end=1, settings=greedy)[0][0].ids == [0, 0, 0]


def test_a_beam_wider_than_the_vocabulary_keeps_all_there_is() -> None:
    settings = Beam(width=1_000, n_best=1_000, max_length=2, length_penalty=0)
    (row,) = search(starts(1), model(5), settings)
    letters = [0, 1, 3, 4]
    every = [[], *([one] for one in letters), *([one, two] for one in letters for two in letters)]
    assert sorted(one.ids for one in row) == sorted(every)


def test_the_maximal_length_always_ends() -> None:
    weight, start = model(6), starts(2)
    weight[:, END] = start[:, END] = -math.inf
    for width in (1, 4):
        settings = Beam(width=width, n_best=width, max_length=3)
        for row in search(start, weight, settings):
            assert [len(one.ids) for one in row] == [3] * width
            assert all(one.score == one.merit == -math.inf for one in row)


def test_no_inputs_are_no_answers() -> None:
    assert search(starts(0), model(0), Beam()) == []


def test_half_precision_is_counted_in_more() -> None:
    weight, settings = model(7).bfloat16(), Beam(width=2, max_length=6)
    rough, exact = (
        beam_search(lambda ids, s: (w[ids], s), None, w[:3], end=END, settings=settings)  # noqa: B023
        for w in (weight, weight.double())
    )
    for one, other in zip(rough, exact, strict=True):
        assert one[0].ids == other[0].ids
        assert one[0].score == pytest.approx(other[0].score, abs=1e-5)


def test_what_is_given_stays_as_it_was_and_no_graph_is_kept() -> None:
    weight, start = model(7).requires_grad_(), starts(3)
    before, seen = start.clone(), []

    def learned(ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        seen.append((0.5 * state + weight[ids]).requires_grad)
        return weight[ids], state

    beam_search(learned, start, start, end=END, settings=Beam(width=2, max_length=3, min_length=2), banned=[1])
    assert torch.equal(start, before)
    assert seen == [False] * 3
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"width": 2, "n_best": 3}, "n_best = 3: it must be at most width, which is 2"),
        ({"max_length": 4, "min_length": 5}, "min_length = 5: it must be at most max_length, which is 4"),
        ({"max_length": 0}, "max_length must be at least 1, got 0"),
        ({"length_penalty": -1}, "length_penalty must be at least 0, got -1"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram must be at least 0, got -1"),
        ({"widht": 1}, "unknown option widht. Did you mean width?"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Beam.check(values)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"banned": [5]}, "banned id 5 is outside the vocabulary of 5: give ids from 0 to 4"),
        ({"banned": range(5)}, "all 5 ids are banned: leave at least one to choose from"),
        ({"banned": [2]}, "the end id 2 is banned: set min_length instead"),
        ({"prefix": [5]}, "prefix id 5 is outside the vocabulary of 5: give ids from 0 to 4"),
        ({"prefix": [1, 2]}, "a prefix contains the end id 2, and nothing is written after it"),
        ({"prefix": [1, 1, 1, 1]}, "a prefix has 4 ids, but max_length is 3"),
        ({"prefix": [[1], [0], [0]]}, "prefix has 3 rows, expected 2, one for each input"),
        ({"end": 9}, "end id 9 is outside the vocabulary of 5: give ids from 0 to 4"),
    ],
)
def test_ids_that_do_not_fit_are_refused(options: dict[str, Any], text: str) -> None:
    start = starts(2)
    with pytest.raises(UsageError) as caught:
        beam_search(Walk(model(0)), start, start, **{"end": END, "settings": Beam(max_length=3), **options})
    assert str(caught.value) == text


def test_scores_that_cannot_be_searched_are_refused() -> None:
    settings = Beam(width=3, max_length=5, min_length=5)
    with pytest.raises(ShapeError, match=r"logits is \(5,\), expected \(B, V\)"):
        search(starts(1)[0], model(0), settings)
    with pytest.raises(ShapeError, match=r"after a step the logits are \(3, 4\), expected \(3, 5\)"):
        beam_search(lambda ids, s: (torch.zeros(3, 4), s), None, starts(1), end=END, settings=settings)
    for broken in (math.nan, math.inf):
        start = starts(3)
        start[1, 3] = broken
        with pytest.raises(ModelError, match="row 1: the scores are not finite, .* use an earlier model"):
            search(start, model(0), settings)
        weight = model(0)
        weight[3, 4] = broken  # noticed once a hypothesis goes there
        with pytest.raises(ModelError, match="row 0: the scores are not finite"):
            search(starts(2), weight, settings)
    empty = starts(3)
    empty[2] = -math.inf
    with pytest.raises(ModelError, match="row 2: every allowed id has probability 0"):
        search(empty, model(0), settings)
    only = starts(2)
    only[1, [0, 1, 3]] = -math.inf
    with pytest.raises(ModelError, match="row 1: every allowed id has probability 0"):
        search(only, model(0), settings, banned=[4])
    with pytest.raises(ModelError, match="row 0: every allowed id has probability 0"):
        search(starts(1), model(0), Beam(width=3, max_length=5, min_length=5, no_repeat_ngram=1))


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_beam_that_is_dead_spoils_no_other(broken: float) -> None:
    """Where a prefix leaves one beginning, the other places of the beam hold nothing, whatever the model says there."""

    def fragile(ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        logits = model(0)[ids]
        return logits.masked_fill((ids != 1)[:, None] & (state == 0), broken), state + 1

    start = starts(1)
    row = beam_search(fragile, torch.zeros(1, 1), start, end=END, settings=Beam(width=4, max_length=3), prefix=[1])
    assert row[0][0].ids[0] == 1
    assert math.isfinite(row[0][0].score)
