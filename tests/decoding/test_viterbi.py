"""The best path against the enumeration of all paths, and a hidden Markov model against hmmlearn."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from unrolled.decoding.viterbi import viterbi
from unrolled.errors import ModelError, ShapeError

MISSING = -100


def chain(rows: int, steps: int, labels: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, steps, labels + 1, labels, generator=torch.Generator().manual_seed(seed))


def enumerate_paths(scores: np.ndarray, length: int) -> tuple[list[int], float]:
    labels = scores.shape[2]

    def total(path: tuple[int, ...]) -> float:
        before = (labels, *path)
        return sum(float(scores[t, before[t], label]) for t, label in enumerate(path))

    # of equal paths the lower last label, then the one before
    best = max(
        itertools.product(range(labels), repeat=length), key=lambda path: (total(path), [-y for y in path[::-1]])
    )
    return list(best), total(best)


@pytest.mark.parametrize(("steps", "labels"), [(1, 1), (1, 4), (5, 1), (6, 3), (4, 5)])
def test_the_best_path_is_the_best_of_all(steps: int, labels: int) -> None:
    scores = chain(9, steps, labels, seed=steps)
    scores[scores > 1.5] = -math.inf  # steps that are forbidden
    scores[:, :, :, 0] = scores[:, :, :, 0].clamp(min=-5)  # but one way is always open
    lengths = torch.arange(9) % (steps + 1)
    paths, sums = viterbi(scores, lengths)
    assert paths.shape == (9, steps)
    for row, length in enumerate(lengths.tolist()):
        wanted, total = enumerate_paths(scores[row].double().numpy(), length)
        assert paths[row].tolist() == wanted + [MISSING] * (steps - length)
        assert float(sums[row]) == pytest.approx(total, rel=1e-9, abs=1e-12)


def test_of_equal_paths_the_lower_last_labels_are_taken() -> None:
    scores = torch.randint(0, 2, (40, 4, 4, 3), generator=torch.Generator().manual_seed(1)).float()
    paths, sums = viterbi(scores, torch.full((40,), 4))
    for row in range(40):
        assert (paths[row].tolist(), float(sums[row])) == enumerate_paths(scores[row].numpy(), 4)


def test_what_lies_beyond_a_row_is_never_read() -> None:
    scores, lengths = chain(3, 5, 3), torch.tensor([5, 2, 0])
    paths, sums = viterbi(scores, lengths)
    spoiled = scores.clone()
    spoiled[1, 2:], spoiled[2] = math.nan, math.inf
    spoiled[:, 1:, 3] = math.nan  # the start is read at the start alone
    spoiled[:, 0, :3] = math.nan
    again, same = viterbi(spoiled, lengths)
    assert torch.equal(paths, again)
    assert torch.equal(sums, same)
    for row, length in enumerate([5, 2]):  # and in company it is as alone
        alone, total = viterbi(scores[row : row + 1, :length], lengths[row : row + 1])
        assert torch.equal(alone[0], paths[row, :length])
        assert float(total) == float(sums[row])


def test_rows_without_steps_have_empty_paths() -> None:
    paths, sums = viterbi(chain(2, 0, 3), torch.zeros(2, dtype=torch.int64))
    assert paths.shape == (2, 0)
    assert sums.tolist() == [0, 0]
    assert viterbi(chain(0, 4, 3), torch.zeros(0, dtype=torch.int64))[0].shape == (0, 4)


def test_sums_of_long_rows_are_exact() -> None:
    scores = torch.full((1, 20_000, 2, 1), -0.1)
    _, sums = viterbi(scores, torch.tensor([20_000]))
    assert float(sums) == pytest.approx(20_000 * float(np.float32(-0.1)), rel=1e-12)


def test_a_hidden_markov_model_against_hmmlearn() -> None:
    hmm: Any = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is the oracle of this test")
    random = np.random.default_rng(0)
    start, move, emit = (random.dirichlet(np.ones(n), k) for n, k in ((4, 1), (4, 4), (6, 4)))
    model = hmm.CategoricalHMM(n_components=4)
    model.startprob_, model.transmat_, model.emissionprob_ = start[0], move, emit
    seen = random.integers(0, 6, (5, 50))
    chances = np.log(np.concatenate([move, start]))[None, None] + np.log(emit.T)[seen][:, :, None]  # (B, T, K + 1, K)
    paths, sums = viterbi(torch.from_numpy(chances), torch.full((5,), 50))
    for row in range(5):
        total, path = model.decode(seen[row][:, None])
        assert path.tolist() == paths[row].tolist()
        assert total == pytest.approx(float(sums[row]))


def test_what_cannot_be_searched_is_refused() -> None:
    lengths = torch.tensor([2, 2])
    for shape in ((2, 2, 3, 3), (2, 4, 3), (2, 2, 1, 0)):
        with pytest.raises(ShapeError, match=r"scores is \(2, .*, expected \(B, T, K \+ 1, K\) with K at least 1"):
            viterbi(torch.zeros(shape), lengths)
    with pytest.raises(ShapeError, match=r"lengths is \(1,\) torch.int64, expected \(2,\) integers"):
        viterbi(chain(2, 2, 3), lengths[:1])
    with pytest.raises(ShapeError, match=r"lengths is \(2,\) torch.float32, expected \(2,\) integers"):
        viterbi(chain(2, 2, 3), lengths.float())
    with pytest.raises(ShapeError, match=r"lengths\[1\] is 3, expected 0 … 2"):
        viterbi(chain(2, 2, 3), torch.tensor([2, 3]))
    for broken in (math.nan, math.inf):
        scores = chain(2, 2, 3)
        scores[1, 1, 0, 2] = broken
        with pytest.raises(ModelError, match="row 1: the scores are not finite"):
            viterbi(scores, lengths)
    scores = chain(2, 2, 3)
    scores[1, 1] = -math.inf
    with pytest.raises(ModelError, match="row 1: every path through the labels has probability 0"):
        viterbi(scores, lengths)
