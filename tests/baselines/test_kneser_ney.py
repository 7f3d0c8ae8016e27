"""The array form against a plain one with dictionaries, and that every distribution sums to one."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from unrolled.baselines._kneser_ney import KneserNey

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

    def answer(self, row: list[int], at: int) -> tuple[float, float]:
        context = tuple([-1, *row[:at]][-(self.order - 1) :]) if self.order > 1 else ()
        return self.p(context, row[at]), max(self.p(context, v) for v in range(self.size))


def flat(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    return np.array(list(itertools.chain(*rows)), np.int64), np.cumsum([0, *map(len, rows)])


def random_rows(seed: int, size: int, lengths: list[int]) -> Rows:
    random = np.random.default_rng(seed)
    return [(random.zipf(1.5, length) % size).tolist() for length in lengths]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize(("size", "lengths"), [(3, [40, 0, 25, 1]), (12, [300, 150]), (40, [7] * 30), (4, [1, 2])])
def test_equals_the_plain_form(order: int, size: int, lengths: list[int]) -> None:
    train, part = random_rows(0, size, lengths), random_rows(1, size, [30, 0, 9, 1])
    plain, model = Plain(train, size, order), KneserNey.fit(*flat(train), size, order)
    tokens, offsets = flat(part)
    chances, best = model.score(tokens, offsets, np.arange(len(tokens)))
    wanted = [plain.answer(row, at) for row in part for at in range(len(row))]
    np.testing.assert_allclose(chances, [p for p, _ in wanted], rtol=1e-5)
    places = [(row, at) for row in part for at in range(len(row))]
    reached = [plain.answer([*row[:at], int(v)], at)[0] for (row, at), v in zip(places, best, strict=True)]
    np.testing.assert_allclose(reached, [top for _, top in wanted], rtol=1e-5)


def test_discounts_are_estimated_where_the_counts_allow_it() -> None:
    plain = Plain(random_rows(0, 40, [2_000]), 40, 3)
    assert plain.discounts[3] != [0, 0.5, 1, 1.5]
    assert Plain(random_rows(0, 3, [50]), 3, 2).discounts[1] == [0, 0.5, 1, 1.5]
    train = random_rows(0, 40, [2_000])
    tokens, offsets = flat(random_rows(5, 40, [60]))
    chances, _ = KneserNey.fit(*flat(train), 40, 3).score(tokens, offsets, np.arange(60))
    np.testing.assert_allclose(chances, [plain.answer(tokens.tolist(), at)[0] for at in range(60)], rtol=1e-5)


def test_every_distribution_sums_to_one() -> None:
    size = 4
    model = KneserNey.fit(*flat(random_rows(2, size, [60, 30])), size, 5)
    contexts = [list(c) for n in range(6) for c in itertools.islice(itertools.product(range(size), repeat=n), 200)]
    rows = [[*context, token] for context in contexts for token in range(size)]
    tokens, offsets = flat(rows)
    chances, best = model.score(tokens, offsets, offsets[1:] - 1)
    table = chances.reshape(-1, size)
    np.testing.assert_allclose(table.sum(1), 1, atol=1e-6)
    assert (table > 0).all()
    top = table[np.arange(len(table)), best.reshape(-1, size)[:, 0]]
    np.testing.assert_allclose(top, table.max(1), rtol=1e-6)


def test_contexts_do_not_cross_rows() -> None:
    model = KneserNey.fit(*flat([[0, 1, 2, 0, 1, 2], [1, 1, 0]]), 3, 5)
    alone, _ = model.score(*flat([[1, 1, 0]]), np.arange(3))
    beside, _ = model.score(*flat([[0, 1, 2], [1, 1, 0]]), np.arange(3, 6))
    np.testing.assert_array_equal(alone, beside)


def test_an_unknown_token_begins_the_row_anew() -> None:
    model = KneserNey.fit(*flat([[0, 1, 2, 0, 1, 2], [1, 1, 0]]), 3, 5)
    alone, _ = model.score(*flat([[1, 1, 0]]), np.arange(3))
    broken, _ = model.score(*flat([[0, -100, 1, 1, 0]]), np.arange(2, 5))
    np.testing.assert_array_equal(alone, broken)


def test_nothing_to_learn_from_is_uniform() -> None:
    model = KneserNey.fit(*flat([[]]), 4, 5)
    chances, best = model.score(*flat([[3, 1]]), np.arange(2))
    assert chances.tolist() == [0.25, 0.25]
    assert best.tolist() == [0, 0]


def test_small_integer_types() -> None:
    rows = random_rows(0, 12, [200])
    tokens, offsets = flat(rows)
    wide, _ = KneserNey.fit(tokens, offsets, 12, 5).score(tokens, offsets, np.arange(200))
    narrow = tokens.astype(np.uint8)
    found, _ = KneserNey.fit(narrow, offsets, 12, 5).score(narrow, offsets, np.arange(200))
    np.testing.assert_array_equal(wide, found)
