"""The algorithms of hidden Markov models, beside enumeration and beside hmmlearn."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unrolled.baselines._emissions import Gaussian, Symbols
from unrolled.baselines._hmm import Packed, backward, forward, log_sum, posterior, predicted, transitions, viterbi
from unrolled.baselines._hmm_model import Model
from unrolled.batch import Continuous, Discrete
from unrolled.data.examples.examples import Examples

Make = Callable[..., Examples]

LENGTHS = np.array([4, 1, 0, 5, 4])
S, V = 3, 4


def packed(lengths: np.ndarray = LENGTHS, longest: int = 99) -> Packed:
    return Packed.of(np.cumsum(lengths) - lengths, lengths, longest)


def parameters(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.ones(S)), random.dirichlet(np.ones(S), S), random.dirichlet(np.ones(V), S)


def symbols(seed: int = 1, lengths: np.ndarray = LENGTHS) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, V, lengths.sum())


def flat(values: np.ndarray, pack: Packed) -> np.ndarray:
    unpacked = np.empty_like(values)
    unpacked[pack.steps] = values
    return unpacked


# --- the algorithms ----------------------------------------------------------------------------------------------


def test_rows_are_packed_step_by_step() -> None:
    pack = packed()
    assert pack.sizes.tolist() == [4, 3, 3, 3, 1]
    assert pack.steps.tolist() == [5, 0, 10, 4, 6, 1, 11, 7, 2, 12, 8, 3, 13, 9]
    assert pack.pieces.tolist() == [3, 0, 4, 1]
    assert pack.steps[pack.before()].tolist() == (pack.steps[4:] - 1).tolist()
    assert pack.steps[pack.last()].tolist() == [9, 3, 13, 4]
    short = packed(longest=2)
    assert short.sizes.tolist() == [8, 6]
    assert sorted(short.pieces.tolist()) == [0, 0, 1, 3, 3, 3, 4, 4]
    assert sorted(short.steps.tolist()) == list(range(14))
    nothing = packed(np.array([0, 0]))
    assert (len(nothing.steps), len(nothing.last()), len(nothing.before())) == (0, 0, 0)


def enumerated(x: np.ndarray) -> list[tuple[tuple[int, ...], float]]:
    """Each path of states with p(x, z)."""
    pi, A, B = parameters()
    paths = []
    for path in itertools.product(range(S), repeat=len(x)):
        chance = pi[path[0]] * np.prod([A[i, j] for i, j in itertools.pairwise(path)])
        paths.append((path, float(chance * np.prod([B[z, v] for z, v in zip(path, x, strict=True)]))))
    return paths


def test_by_enumeration_of_all_paths() -> None:
    pi, A, B = parameters()
    pack, x = packed(), symbols()
    b = Symbols(np.log(B)).score(x[pack.steps])
    alpha, beta = forward(np.log(pi), np.log(A), b, pack.sizes), backward(np.log(A), b, pack.sizes)
    gamma, likelihood = posterior(alpha, beta, pack)
    states, chances = predicted(np.log(pi), np.log(A), alpha, pack)
    path = flat(viterbi(np.log(pi), np.log(A), b, pack), pack)
    gamma, states, chances, by_row = (
        flat(gamma, pack),
        flat(states, pack),
        flat(chances, pack),
        dict(zip(pack.pieces, likelihood, strict=True)),
    )
    xi = np.zeros((S, S))
    for row, (start, n) in enumerate(zip(np.cumsum(LENGTHS) - LENGTHS, LENGTHS, strict=True)):
        if not n:
            continue
        all_paths = enumerated(x[start : start + n])
        total = sum(chance for _, chance in all_paths)
        assert by_row[row] == pytest.approx(np.log(total), abs=1e-12)
        assert tuple(path[start : start + n]) == max(all_paths, key=lambda one: one[1])[0]
        expected = np.zeros((n, S))
        for z, chance in all_paths:
            for t in range(n):
                expected[t, z[t]] += chance / total
            for i, j in itertools.pairwise(z):
                xi[i, j] += chance / total
        np.testing.assert_allclose(np.exp(gamma[start : start + n]), expected, atol=1e-12)
        for t in range(n):
            so_far = sum(chance for _, chance in enumerated(x[start : start + t + 1]))
            earlier = sum(chance for _, chance in enumerated(x[start : start + t])) if t else 1.0
            assert np.exp(chances[start + t]) == pytest.approx(so_far / earlier, abs=1e-12)
            assert np.exp(states[start + t]) @ B[:, x[start + t]] == pytest.approx(so_far / earlier, abs=1e-12)
    np.testing.assert_allclose(transitions(np.log(A), b, alpha, beta, pack), xi, atol=1e-12)


def test_thousands_of_steps_stay_finite() -> None:
    pi, A, B = parameters()
    lengths = np.array([5000])
    pack, x = packed(lengths, 5000), symbols(2, lengths)
    b = Symbols(np.log(B)).score(x[pack.steps]) - 50.0
    alpha, beta = forward(np.log(pi), np.log(A), b, pack.sizes), backward(np.log(A), b, pack.sizes)
    gamma, _ = posterior(alpha, beta, pack)
    np.testing.assert_allclose(np.exp(gamma).sum(1), 1, atol=1e-9)
    assert transitions(np.log(A), b, alpha, beta, pack).sum() == pytest.approx(4999, rel=1e-7)


# --- Baum–Welch --------------------------------------------------------------------------------------------------


def test_as_hmmlearn_with_symbols() -> None:
    library = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is the oracle of this test")
    lengths = np.array([9, 4, 1, 30, 12])
    pi, A, B = parameters()
    pack, x = packed(lengths), symbols(3, lengths)
    theirs: Any = library.CategoricalHMM(S, n_iter=7, tol=-np.inf, init_params="", implementation="log")
    theirs.n_features = V
    theirs.startprob_, theirs.transmat_, theirs.emissionprob_ = pi, A, B
    ours, columns, specs = Model(np.log(pi), np.log(A), {"x": Symbols(np.log(B))}), {"x": x}, {"x": Discrete(V)}
    before = theirs.score(x[:, None], lengths)
    theirs.fit(x[:, None], lengths)
    found = []
    for _ in range(7):
        ours, likelihood = ours.improved(columns, specs, pack, {}, pseudo=0.0)
        found.append(likelihood)
    assert found[0] == pytest.approx(before, rel=1e-10)
    assert found == pytest.approx(list(theirs.monitor_.history), rel=1e-10)
    compare(ours, columns, pack, theirs, x[:, None], lengths)
    np.testing.assert_allclose(np.exp(ours.emissions["x"].log_p), theirs.emissionprob_, atol=1e-8)  # type: ignore[union-attr]


def test_as_hmmlearn_with_numbers() -> None:
    library = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is the oracle of this test")
    lengths, random = np.array([40, 7, 1, 25]), np.random.default_rng(4)
    pi, A, _ = parameters()
    x = random.normal(size=(lengths.sum(), 2)) + 2 * random.integers(0, 2, (lengths.sum(), 1))
    pack, mean, variance = packed(lengths), random.normal(size=(S, 2)), random.uniform(0.5, 2, (S, 2))
    theirs: Any = library.GaussianHMM(
        S, "diag", n_iter=6, tol=-np.inf, init_params="", covars_prior=0.0, covars_weight=1.0, implementation="log"
    )
    theirs.n_features = 2
    theirs.startprob_, theirs.transmat_, theirs.means_, theirs.covars_ = pi, A, mean, variance
    ours, columns, specs = Model(np.log(pi), np.log(A), {"x": Gaussian(mean, variance)}), {"x": x}, {"x": Continuous(2)}
    theirs.fit(x, lengths)
    found = []
    for _ in range(6):
        ours, likelihood = ours.improved(columns, specs, pack, {}, pseudo=0.0)
        found.append(likelihood)
    assert found == pytest.approx(list(theirs.monitor_.history), rel=1e-10)
    compare(ours, columns, pack, theirs, x, lengths)
    emission = ours.emissions["x"]
    assert isinstance(emission, Gaussian)
    np.testing.assert_allclose(emission.mean, theirs.means_, atol=1e-8)
    np.testing.assert_allclose(emission.variance, [np.diag(one) for one in theirs.covars_], atol=1e-8)


def compare(ours: Model, columns: Any, pack: Packed, theirs: Any, x: np.ndarray, lengths: np.ndarray) -> None:
    b = ours.score(columns, pack)
    likelihood = log_sum(forward(ours.pi, ours.A, b, pack.sizes)[pack.last()]).sum()
    assert likelihood == pytest.approx(theirs.score(x, lengths), abs=1e-8)
    np.testing.assert_allclose(np.exp(ours.pi), theirs.startprob_, atol=1e-8)
    np.testing.assert_allclose(np.exp(ours.A), theirs.transmat_, atol=1e-8)
    assert flat(viterbi(ours.pi, ours.A, b, pack), pack).tolist() == theirs.predict(x, lengths).tolist()


def test_each_iteration_makes_the_data_likelier() -> None:
    lengths = np.array([50, 20])
    pack, x = packed(lengths), symbols(5, lengths)
    specs = {"x": Discrete(V)}
    model = Model(*(np.log(p) for p in parameters()[:2]), {"x": Symbols(np.log(parameters()[2]))})
    found = []
    for _ in range(20):
        model, likelihood = model.improved({"x": x}, specs, pack, {}, pseudo=0.0)
        found.append(likelihood)
    assert (np.diff(found) > -1e-9).all() and found[-1] > found[0] + 1


def test_a_missing_number_says_nothing() -> None:
    emission = Gaussian(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[1.0, 2.0], [0.5, 1.0]]))
    x = np.array([[0.3, np.nan], [np.nan, np.nan], [0.3, 0.7]])
    found = emission.score(x)
    one = -0.5 * (
        np.square(0.3 - emission.mean[:, 0]) / emission.variance[:, 0] + np.log(2 * np.pi * emission.variance[:, 0])
    )
    two = -0.5 * (
        np.square(0.7 - emission.mean[:, 1]) / emission.variance[:, 1] + np.log(2 * np.pi * emission.variance[:, 1])
    )
    np.testing.assert_allclose(found, [one, [0, 0], one + two], atol=1e-12)
    fitted = Gaussian.fit(Gaussian.statistics(x, np.ones((3, 1))))
    np.testing.assert_allclose(fitted.mean, [[0.3, 0.7]])
    np.testing.assert_allclose(fitted.variance, [[1e-3, 1e-3]])
