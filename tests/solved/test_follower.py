"""The followers of items against a loop over dictionaries: counts, discounts, mixtures and ranks."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from unrolled.batch import Batch, Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.solved import _pair_counts
from unrolled.solved._pair_counts import RECENT, count_pairs
from unrolled.solved._pair_mixture import _Asked, fit_mixture
from unrolled.solved.follower import Follower

Rows = list[list[int]]
SIZE = 40
ROWS: Rows = [(3 + np.random.default_rng(n).zipf(1.5, 1 + n % 17) % 37).tolist() for n in range(60)]


def column(rows: Rows) -> Encoded:
    return Encoded(np.concatenate([np.array(row, np.int64) for row in rows]), np.cumsum([0, *map(len, rows)]))


def solve(rows: Rows, size: int = SIZE) -> Follower:
    items = column(rows)
    train = Examples({"x": items}, {"x": Discrete(size)}, items, Discrete(size), Next(), first_item=3)
    task: Any = SimpleNamespace(coder=SimpleNamespace(target="x"), outputs=size)
    assert Follower.applies(task, train)
    return Follower.solve(task, train, Follower.Options(), 0)


class Plain:
    """The equations of `Follower`, one pair after the other."""

    def __init__(self, rows: Rows, size: int, weights: list[float], returns: float) -> None:
        self.size, self.weights, self.returns = size, weights, returns
        self.seen = Counter(item for row in rows for item in row[1:])
        self.pairs = {
            span: Counter((row[a], row[b]) for row in rows for b in range(len(row)) for a in range(max(0, b - span), b))
            for span in (1, RECENT)
        }

    def popular(self, item: int) -> float:
        return (self.seen[item] + 1) / (self.seen.total() + self.size)

    def after(self, item: int, before: int, span: int) -> float:
        pairs = self.pairs[span]
        once, twice = (sum(count == n for count in pairs.values()) for n in (1, 2))
        discount = (once + 1) / (once + 2 * twice + 2)
        follow = [count for (first, _), count in pairs.items() if first == before]
        if not follow:
            return self.popular(item)
        kept = max(pairs[before, item] - discount, 0)
        return (kept + discount * len(follow) * self.popular(item)) / sum(follow)

    def chance(self, item: int, before: list[int]) -> float:
        """Of ``item`` after a row ``before``."""
        recent = before[::-1][:RECENT]
        parts = [self.popular(item), self.after(item, recent[0], 1), *(self.after(item, u, RECENT) for u in recent)]
        weights = self.weights[: len(parts)]
        return sum(w * p for w, p in zip(weights, parts, strict=True)) / sum(weights)

    def chances(self, before: list[int]) -> list[float]:
        """Of every item, those that were there changed by the factor."""
        found = [
            self.chance(item, before) * (self.returns if item in before[-RECENT:] else 1) for item in range(self.size)
        ]
        return [chance / sum(found) for chance in found]


def batch_of(rows: Rows) -> Batch:
    items = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for row, ids in enumerate(rows):
        items[row, : len(ids)] = torch.tensor(ids)
    return Batch({"x": items}, torch.tensor([len(row) for row in rows]), torch.arange(len(rows)))


def test_equals_a_loop_over_pairs() -> None:
    model = solve(ROWS)
    plain = Plain(ROWS, SIZE, model.weights.tolist(), float(model.returns))
    later = [[5], [4, 39, 4, 3], (3 + np.random.default_rng(99).zipf(1.5, 14) % 37).tolist()]
    outputs = model.run(batch_of(later))[0]
    for row, ids in enumerate(later):
        for step in range(len(ids)):
            found = outputs.at(torch.tensor([row]), torch.tensor([step])).scores()[0].exp()
            np.testing.assert_allclose(found, plain.chances(ids[: step + 1]), rtol=1e-4)
            assert float(found.sum()) == pytest.approx(1, abs=1e-5)


def test_the_chances_are_those_of_the_scores() -> None:
    outputs = solve(ROWS).run(batch_of(ROWS[8:12]))[0].at(torch.ones(4, 12, dtype=torch.bool))
    right = torch.arange(48) % SIZE
    chances = outputs.chances(right)
    torch.testing.assert_close(chances.every, outputs.scores().softmax(-1))
    torch.testing.assert_close(chances.nats.sum(), outputs.nats(right))


def test_a_ring_is_predicted_from_the_last_item_only() -> None:
    """Each item of a ring of twelve is followed by the next one: what was soon after an item says less."""
    rows = [[3 + (start + step) % 12 for step in range(20)] for start in range(12)]
    model = solve(rows, 15)
    assert float(model.weights[1]) > 0.9
    outputs = model.run(batch_of([[7]]))[0]
    assert float(outputs.scores().exp()[0, 0, 8]) > 0.9


def test_where_neither_order_nor_neighbours_say_anything_popularity_has_the_weight() -> None:
    random = np.random.default_rng(0)
    rows = [(3 + random.choice(10, 12, p=[0.4, 0.2, *[0.05] * 8])).tolist() for _ in range(300)]
    found = solve(rows, 13).run(batch_of([[3, 9, 12]]))[0].scores().exp()[0]
    wanted = torch.tensor([0.4, 0.2, *[0.05] * 8])
    assert float((found[:, 3:] - wanted).abs().max()) < 0.05


def test_each_step_is_predicted_without_its_own_counts() -> None:
    """No pair comes twice, so that what was seen says nothing: with its own counts each step would look certain."""
    rows = [[3 + 2 * n, 4 + 2 * n] for n in range(50)]
    items = column(rows)
    seen = np.bincount(items.values[1::2], minlength=103) + 1
    pairs = count_pairs(items, 103)
    asked = _Asked.of(items, pairs, seen)
    popular = 1 / (seen.sum() - 1)
    assert asked.chances(asked.right)[:, :3] == pytest.approx(popular)
    assert asked.chances(asked.recent[:, 0])[:, :3] == pytest.approx(popular)
    weights, factor = fit_mixture(items, pairs, seen)
    assert np.isfinite(weights).all() and factor > 0


def test_what_never_comes_back_is_not_predicted_again() -> None:
    """Rows of six of twenty items: without a factor, those that a row has would be as likely as the others."""
    random = np.random.default_rng(0)
    once = solve([(3 + random.choice(20, 6, replace=False)).tolist() for _ in range(300)], 23)
    again = solve([(3 + random.choice(20, 6)).tolist() for _ in range(300)], 23)
    assert float(once.returns) < 0.02 and float(again.returns) == pytest.approx(1, abs=0.1)
    chances = once.run(batch_of([[3, 4, 3, 7]]))[0].scores().exp()[0, 3]
    assert float(chances[[3, 4, 7]].sum()) < 0.01
    assert float(chances.sum()) == pytest.approx(1, abs=1e-5)


def test_only_pairs_that_were_seen_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[3, 999_999, 5, 3], [5, 999_998]]
    model = solve(rows, 1_000_000)
    assert len(model.keys) == 7
    assert model.weights.dtype == torch.float32
    monkeypatch.setattr(_pair_counts, "_PAIRS", 12)  # of six steps: two steps apart at most
    near = count_pairs(column(rows), 1_000_000)
    assert len(near.keys) == 6 and (near.soon.span, near.next.span) == (2, 1)
    assert int(near.next.pairs.sum()) == sum(len(row) - 1 for row in rows)


def test_it_runs_live_and_in_chunks_as_it_does_whole() -> None:
    model, rows = solve(ROWS), [ROWS[16], ROWS[12][:4]]
    batch = batch_of(rows)
    outputs, after = model.run(batch)
    whole = outputs.scores()
    session = model.session(2)
    for at in range(len(rows[0])):
        pushed = session.push({"x": batch.inputs["x"][:, at]})
        for row, ids in enumerate(rows):
            assert at >= len(ids) or torch.allclose(pushed[row], whole[row, at], atol=1e-6)
    first, state = model.run(Batch({"x": batch.inputs["x"][:, :3]}, torch.tensor([3, 3]), batch.rows))
    second, end = model.run(Batch({"x": batch.inputs["x"][:, 3:]}, batch.lengths - 3, batch.rows), state)
    torch.testing.assert_close(torch.cat([first.scores(), second.scores()], 1), whole)
    assert torch.equal(end.items, after.items)
    assert end.items[1].tolist() == [*rows[1][::-1], *[-1] * (RECENT - 4)]


def test_the_weights_are_the_likeliest_of_all() -> None:
    """To change two of them makes the training steps no likelier, but for what more rounds would add."""
    items = column(ROWS)
    seen = np.bincount(items.values, minlength=SIZE) + 1
    pairs = count_pairs(items, SIZE)
    best = fit_mixture(items, pairs, seen)[0].astype(float)
    asked = _Asked.of(items, pairs, seen)
    chances, there = asked.chances(asked.right), asked.present

    def likelihood(weights: np.ndarray) -> float:
        return float(np.log((there * weights * chances).sum(1) / (there * weights).sum(1)).mean())

    for a, b in pairwise(range(len(best))):
        for change in (0.2, -0.2):
            other = best.copy()
            other[[a, b]] *= [math.exp(change), math.exp(-change)]
            assert likelihood(other) < likelihood(best) + 1e-3
    assert likelihood(np.ones(len(best))) < likelihood(best) - 0.03
