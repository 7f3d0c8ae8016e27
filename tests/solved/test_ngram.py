"""The 5-gram against a plain form with dictionaries; that its distributions sum to one; and that it runs live."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from unrolled.batch import MISSING, Batch, Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.solved.ngram import Ngram

Rows = list[list[int]]


class Plain:
    """Chen and Goodman's equations, one dictionary an order; the begin mark is -1."""

    def __init__(self, rows: Rows, size: int, order: int) -> None:
        self.size, self.order = size, order
        seen: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order + 1)]
        for row in rows:
            marked = (-1, *row)
            for n in range(1, order + 1):
                seen[n].update(marked[i : i + n] for i in range(len(marked) - n + 1))
        self.adjusted: list[dict[tuple[int, ...], int]] = [{} for _ in range(order + 1)]
        for n in range(1, order + 1):
            longer = n < order and bool(seen[n + 1])
            before: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)
            for gram in seen[n + 1] if longer else ():
                before[gram[1:]].add(gram[0])
            for gram, count in seen[n].items():
                if gram != (-1,):
                    top = not longer or gram[0] == -1
                    self.adjusted[n][gram] = count if top else len(before[gram])
        self.discounts = [self._discounts(list(counts.values())) for counts in self.adjusted]

    @staticmethod
    def _discounts(counts: list[int]) -> list[float]:
        n1, n2, n3, n4 = (counts.count(j) for j in (1, 2, 3, 4))
        if min(n1, n2, n3, n4) == 0:
            return [0, 0.5, 1, 1.5]
        y = n1 / (n1 + 2 * n2)
        found = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return found if min(found[1:]) > 0 and all(d <= j for j, d in enumerate(found)) else [0, 0.5, 1, 1.5]

    def p(self, context: tuple[int, ...], token: int) -> float:
        n = len(context) + 1
        lower = 1 / self.size if n == 1 else self.p(context[1:], token)
        follow = {v: self.adjusted[n].get((*context, v), 0) for v in range(self.size)}
        total = sum(follow.values())
        if not total:
            return lower
        taken = {v: self.discounts[n][min(count, 3)] for v, count in follow.items()}
        return (follow[token] - taken[token]) / total + sum(taken.values()) / total * lower

    def answer(self, row: list[int], at: int) -> float:
        context = tuple([-1, *row[:at]][-(self.order - 1) :]) if self.order > 1 else ()
        return self.p(context, row[at])


def solve(rows: Rows, size: int, dtype: type = np.int64) -> Ngram:
    column = Encoded(np.array(list(itertools.chain(*rows)), dtype), np.cumsum([0, *map(len, rows)]))
    train = Examples({"x": column}, {"x": Discrete(size)}, column, Discrete(size), Next())
    task: Any = SimpleNamespace(coder=SimpleNamespace(target="x"), outputs=size)
    return Ngram.solve(task, train, Ngram.Options(), 0)


def batch_of(rows: Rows) -> Batch:
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return Batch({"x": tokens}, torch.tensor([len(row) for row in rows]), torch.arange(len(rows)))


def chances_of(model: Ngram, row: list[int]) -> np.ndarray:
    """(T, V): the probabilities of the token after each step."""
    return np.asarray(model.run(batch_of([row]))[0][0].exp())


def random_rows(seed: int, size: int, lengths: list[int]) -> Rows:
    random = np.random.default_rng(seed)
    return [(random.zipf(1.5, length) % size).tolist() for length in lengths]


@pytest.mark.parametrize(("size", "lengths"), [(3, [40, 0, 25, 1]), (12, [300, 150]), (40, [7] * 30), (4, [1, 2])])
def test_equals_the_plain_form(size: int, lengths: list[int]) -> None:
    train, part = random_rows(0, size, lengths), random_rows(1, size, [30, 9, 1])
    plain, model = Plain(train, size, 5), solve(train, size)
    for row in part:
        found = chances_of(model, row)
        for at in range(len(row)):
            wanted = [plain.answer([*row[: at + 1], token], at + 1) for token in range(size)]
            np.testing.assert_allclose(found[at], wanted, rtol=1e-5)
            np.testing.assert_allclose(found[at].sum(), 1, atol=1e-6)


def test_discounts_are_estimated_where_the_counts_allow_it() -> None:
    train = random_rows(0, 40, [2_000])
    plain = Plain(train, 40, 5)
    assert plain.discounts[3] != [0, 0.5, 1, 1.5]
    assert Plain(random_rows(0, 3, [50]), 3, 2).discounts[1] == [0, 0.5, 1, 1.5]
    (row,) = random_rows(5, 40, [60])
    found = chances_of(solve(train, 40), row)
    for at in range(59):
        assert found[at, row[at + 1]] == pytest.approx(plain.answer(row, at + 1), rel=1e-5)


def test_it_runs_live_and_in_chunks_as_it_does_whole() -> None:
    model, rows = solve(random_rows(0, 12, [300]), 12), random_rows(3, 12, [9, 4, 6])
    batch = batch_of(rows)
    whole, after = model.run(batch)
    session = model.session(3)
    for at in range(9):
        pushed = session.push({"x": batch.inputs["x"][:, at]})
        for row, ids in enumerate(rows):
            if at < len(ids):
                assert torch.equal(pushed[row], whole[row, at])
            else:
                assert not whole[row, at].any()
    first, state = model.run(Batch({"x": batch.inputs["x"][:, :3]}, torch.tensor([3, 3, 3]), batch.rows))
    second, end = model.run(Batch({"x": batch.inputs["x"][:, 3:]}, batch.lengths - 3, batch.rows), state)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(end.numbers, after.numbers)


def test_it_is_rebuilt_from_its_sizes_and_weights() -> None:
    model = solve(random_rows(0, 12, [300]), 12)
    task: Any = SimpleNamespace(coder=SimpleNamespace(target="x"), outputs=12)
    again = Ngram(task, model.options)
    again.load_state_dict(model.state_dict())
    row = random_rows(3, 12, [20])[0]
    np.testing.assert_array_equal(chances_of(again, row), chances_of(model, row))


def test_after_a_token_that_was_never_seen_it_knows_how_often_each_comes() -> None:
    # The count 1 less a discount of 1/2, whose mass is spread over the four tokens.
    assert chances_of(solve([[1]], 4), [3]).tolist()[0] == pytest.approx([0.125, 0.625, 0.125, 0.125])


def test_small_integer_types() -> None:
    rows = random_rows(0, 12, [200])
    np.testing.assert_array_equal(chances_of(solve(rows, 12), rows[0]), chances_of(solve(rows, 12, np.uint8), rows[0]))


def test_a_missing_token_breaks_the_context_of_training() -> None:
    broken, apart = solve([[0, 1, 2, MISSING, 1, 1, 0]], 3), solve([[0, 1, 2], [1, 1, 0]], 3)
    np.testing.assert_allclose(chances_of(broken, [1, 1]), chances_of(apart, [1, 1]))


def test_it_reaches_the_entropy_of_a_chain() -> None:
    chances = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.7, 0.1, 0.1], [0.25] * 4])
    draws, token, row = np.random.default_rng(0).random(25_000), 0, []
    for draw in draws:
        token = min(int(np.searchsorted(chances[token].cumsum(), draw)), 3)
        row.append(token)
    power = np.linalg.matrix_power(chances, 60)[0]
    entropy = float(-(power[:, None] * chances * np.log(chances)).sum())
    found = chances_of(solve([row[:20_000]], 4), row[20_000:])
    nats = -np.log(found[np.arange(4_999), row[20_001:]]).mean()
    assert entropy - 0.03 < nats < min(entropy + 0.05, math.log(4))
