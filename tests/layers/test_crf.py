"""The CRF beside the enumeration of all paths, and beside CRFsuite with the same weights."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from unrolled.batch import MISSING
from unrolled.decoding.viterbi import viterbi
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.crf import CRF, FORBIDDEN, crf_log_partition, crf_potentials, crf_score

K, LENGTHS = 3, [4, 1, 0, 3, 4]
T = max(LENGTHS)


def potentials(seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(len(LENGTHS), T, K + 1, K, generator=random, dtype=torch.float64)


def worth(phi: Tensor, path: tuple[int, ...]) -> float:
    """Of a path of one row, added up by hand."""
    total, before, table = 0.0, K, phi.tolist()
    for t, label in enumerate(path):
        total += table[t][before][label]
        before = label
    return total


def paths(length: int) -> list[tuple[int, ...]]:
    return list(itertools.product(range(K), repeat=length))


def log_sum(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


def test_the_partition_is_the_sum_over_all_paths() -> None:
    phi = potentials()
    found = crf_log_partition(phi, torch.tensor(LENGTHS))
    expected = [log_sum([worth(row, path) for path in paths(n)]) for row, n in zip(phi, LENGTHS, strict=True)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert found[2] == 0


def test_the_score_is_that_of_the_row_s_own_path() -> None:
    phi, target = potentials(), torch.randint(K, (len(LENGTHS), T), generator=torch.Generator().manual_seed(1))
    found = crf_score(phi, target, torch.tensor(LENGTHS))
    expected = [worth(phi[b], tuple(target[b, :n].tolist())) for b, n in enumerate(LENGTHS)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_missing_labels_are_summed_over() -> None:
    phi = potentials()
    target = torch.tensor([[0, MISSING, MISSING, 2], [MISSING] * 4, [1] * 4, [MISSING, 1, 2, MISSING], [2, 1, 0, 1]])
    found = crf_score(phi, target, torch.tensor(LENGTHS))
    for row, n in enumerate(LENGTHS):
        known = target[row, :n].tolist()
        agree = [p for p in paths(n) if all(k in (MISSING, label) for k, label in zip(known, p, strict=True))]
        assert float(found[row]) == pytest.approx(log_sum([worth(phi[row], path) for path in agree]), abs=1e-12)
    nothing = torch.full_like(target, MISSING)
    lengths = torch.tensor(LENGTHS)
    torch.testing.assert_close(crf_score(phi, nothing, lengths), crf_log_partition(phi, lengths))


def test_the_gradient_of_the_partition_is_the_chance_of_each_pair_of_neighbours() -> None:
    phi = potentials().requires_grad_()
    crf_log_partition(phi, torch.tensor(LENGTHS)).sum().backward()
    assert phi.grad is not None
    for row, n in enumerate(LENGTHS):
        expected = torch.zeros(T, K + 1, K, dtype=torch.float64)
        log_z = log_sum([worth(phi[row], path) for path in paths(n)])
        for path in paths(n):
            before = K
            for t, label in enumerate(path):
                expected[t, before, label] += math.exp(worth(phi[row], path) - log_z)
                before = label
        torch.testing.assert_close(phi.grad[row], expected, rtol=1e-9, atol=1e-12)


def test_gradients_by_finite_differences() -> None:
    phi, lengths = potentials().requires_grad_(), torch.tensor(LENGTHS)
    target = torch.tensor([[0, MISSING, 1, 2], [1] * 4, [1] * 4, [0, 1, 2, MISSING], [2, 1, 0, 1]])
    assert torch.autograd.gradcheck(lambda p: crf_log_partition(p, lengths) - crf_score(p, target, lengths), phi)


def test_the_best_path_is_the_best_of_all() -> None:
    phi = potentials()
    expected = [
        list(max(paths(n), key=lambda path, row=row: worth(row, path))) for row, n in zip(phi, LENGTHS, strict=True)
    ]  # type: ignore[misc]
    found, values = viterbi(phi, torch.tensor(LENGTHS))
    assert [row[:n] for row, n in zip(found.tolist(), LENGTHS, strict=True)] == expected
    assert values.tolist() == pytest.approx([worth(row, tuple(path)) for row, path in zip(phi, expected, strict=True)])


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_padding_is_never_seen(value: float) -> None:
    """C2: neither in values nor in gradients."""
    lengths = torch.tensor(LENGTHS)
    target = torch.ones(len(LENGTHS), T, dtype=torch.int64)
    results = []
    for filling in (0.0, value):
        phi = potentials()
        for row, n in enumerate(LENGTHS):
            phi[row, n:] = filling
            target[row, n:] = 99 if filling else 0
        phi.requires_grad_()
        nats = crf_log_partition(phi, lengths) - crf_score(phi, target, lengths)
        (gradient,) = torch.autograd.grad(nats.sum(), phi)
        results.append((nats.detach(), gradient))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert bool((results[0][0] >= 0).all())


def test_no_rows_and_no_steps() -> None:
    assert crf_log_partition(torch.zeros(0, 3, 3, 2), torch.zeros(0, dtype=torch.int64)).shape == (0,)
    assert crf_log_partition(torch.zeros(2, 0, 3, 2), torch.zeros(2, dtype=torch.int64)).tolist() == [0, 0]
    target = torch.zeros(2, 0, dtype=torch.int64)
    assert crf_score(torch.zeros(2, 0, 3, 2), target, torch.zeros(2, dtype=torch.int64)).tolist() == [0, 0]


def test_the_head_adds_labels_and_their_neighbours() -> None:
    torch.manual_seed(0)
    head = CRF(5, (K + 1) * K)
    with torch.no_grad():
        head.bias.normal_()
    h = torch.randn(2, 6, 5)
    phi = crf_potentials(head(h))
    assert phi.shape == (2, 6, K + 1, K)
    emissions = h @ head.weight.T
    for i in range(K + 1):
        torch.testing.assert_close(phi[:, :, i], emissions + head.bias[i * K : (i + 1) * K])


def test_what_is_forbidden_is_as_with_infinity_and_stays_so() -> None:
    phi = potentials().float()
    phi[:, :, 1, 2] = FORBIDDEN
    phi.requires_grad_()
    lengths = torch.tensor(LENGTHS)
    found = crf_log_partition(phi, lengths)
    for row, n in enumerate(LENGTHS):
        fine = [path for path in paths(n) if (1, 2) not in itertools.pairwise(path)]
        assert float(found[row].detach()) == pytest.approx(
            log_sum([worth(phi[row], path) for path in fine]), rel=1e-5, abs=1e-5
        )
    target = torch.zeros(len(LENGTHS), T, dtype=torch.int64)
    (gradient,) = torch.autograd.grad((found - crf_score(phi, target, lengths)).sum(), phi)
    assert bool((gradient[:, :, 1, 2] == 0).all())
    assert all((1, 2) not in itertools.pairwise(path) for path in viterbi(phi.detach(), lengths)[0].tolist())


def test_labels_that_break_the_rule_cost_much_but_not_everything() -> None:
    """A validation split may hold what training never did."""
    phi = potentials().float()
    phi[:, :, 1, 2] = FORBIDDEN
    phi.requires_grad_()
    target = torch.tensor([[1, 2, 0, 0]] * len(LENGTHS))
    nats = crf_log_partition(phi, torch.tensor(LENGTHS)) - crf_score(phi, target, torch.tensor(LENGTHS))
    (gradient,) = torch.autograd.grad(nats.sum(), phi)
    assert 9_000 < float(nats.detach().max()) < 11_000
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("outputs", [0, 1, 3, 5, 7, 13])
def test_a_number_of_outputs_that_no_labels_have_is_refused(outputs: int) -> None:
    with pytest.raises(
        UsageError, match=rf"a CRF with K labels has \(K \+ 1\)·K outputs, such as 6 for 2 labels, got {outputs}"
    ):
        CRF(4, outputs)


def test_shapes_that_do_not_fit_are_named() -> None:
    lengths = torch.tensor([2, 1])
    with pytest.raises(ShapeError, match=r"crf: potentials has shape \(2, 3, 4, 4\), expected \(B, T, K \+ 1, K\)"):
        crf_log_partition(torch.zeros(2, 3, 4, 4), lengths)
    with pytest.raises(ShapeError, match=r"crf: target has shape \(2, 2\), expected \(B, T\) = \(2, 3\)"):
        crf_score(torch.zeros(2, 3, 3, 2), torch.zeros(2, 2, dtype=torch.int64), lengths)
    with pytest.raises(ShapeError, match=r"crf: lengths\[1\] is 4, expected 0 … 3"):
        crf_log_partition(torch.zeros(2, 3, 3, 2), torch.tensor([2, 4]))


SENTENCES = [
    ("the dog sees the cat", "D N V D N"),
    ("a cat sleeps", "D N V"),
    ("dogs see cats", "N V N"),
    ("the old man sees", "D A N V"),
    ("see the old dog", "V D A N"),
    ("the old man the boat", "D N V D N"),
]  # fmt: skip


def test_as_crfsuite_with_the_same_weights(tmp_path: Path) -> None:
    """Paths, probabilities and marginals, from weights that CRFsuite learned."""
    pycrfsuite = pytest.importorskip("pycrfsuite", reason="CRFsuite is the oracle of this test")
    trainer: Any = pycrfsuite.Trainer(verbose=False)
    for words, tags in SENTENCES:
        trainer.append([[word, word[-1]] for word in words.split()], tags.split())
    trainer.set_params({"c2": 0.05, "max_iterations": 60, "feature.possible_transitions": True})
    trainer.train(str(tmp_path / "model"))
    tagger: Any = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "model"))
    info, labels = tagger.info(), tagger.labels()
    transition = torch.zeros(len(labels) + 1, len(labels), dtype=torch.float64)  # nothing is worth more at a beginning
    for (before, after), weight in info.transitions.items():
        transition[labels.index(before), labels.index(after)] = weight
    assert float(transition.abs().max()) > 0.1
    for words, own in [*SENTENCES, ("the cat the dog sees", "D N D N V"), ("boat a", "N D")]:
        features = [[word, word[-1]] for word in words.split()]
        emission = torch.tensor(
            [[sum(info.state_features.get((f, k), 0.0) for f in step) for k in labels] for step in features],
            dtype=torch.float64,
        )
        phi = (emission[:, None, :] + transition)[None].requires_grad_()  # (1, T, K + 1, K)
        lengths = torch.tensor([len(features)])
        tagger.set(features)
        assert [labels[k] for k in viterbi(phi.detach(), lengths)[0][0]] == tagger.tag(features)
        log_z = crf_log_partition(phi, lengths)
        target = torch.tensor([[labels.index(tag) for tag in own.split()]])
        chance = float((crf_score(phi, target, lengths) - log_z).exp().detach())
        assert chance == pytest.approx(tagger.probability(own.split()), rel=2e-4)  # its info prints six digits
        (pairs,) = torch.autograd.grad(log_z.sum(), phi)
        marginals = pairs[0].sum(1)  # (T, K)
        expected = [[tagger.marginal(label, t) for label in labels] for t in range(len(features))]
        torch.testing.assert_close(marginals, torch.tensor(expected, dtype=torch.float64), rtol=2e-4, atol=1e-6)
    tagger.close()
