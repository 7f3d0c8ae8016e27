from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.layers import choices
from unrolled.layers.choices import Choices, Tied
from unrolled.layers.embed import Embedding
from unrolled.layers.shortlist import Shortlist

N, H, V = 6, 4, 30


def leaves() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden states, weights, biases and right answers, one of them twice."""
    random = torch.Generator().manual_seed(0)
    parts = [torch.randn(shape, generator=random).requires_grad_() for shape in ((N, H), (V, H), (V,))]
    return (*parts, torch.tensor([3, 0, 29, 3, 11, 8]))  # type: ignore[return-value]


def gradients(total: Tensor, *parts: Tensor) -> list[Tensor]:
    found = torch.autograd.grad(total, parts)
    return [one.to_dense() if one.is_sparse else one for one in found]


def test_with_all_symbols_drawn_the_estimate_is_the_loss_and_its_gradient() -> None:
    hidden, weight, bias, right = leaves()
    exact = F.cross_entropy(hidden @ weight.T + bias, right, reduction="sum")
    plain = Choices(hidden, weight, bias).nats(right)
    drawn = Choices(hidden, weight, bias, Shortlist(torch.rand(V) + 0.1, V)).nats(right)
    torch.testing.assert_close(plain, exact)
    torch.testing.assert_close(drawn, exact)
    for found, expected in zip(
        gradients(drawn, hidden, weight, bias), gradients(exact, hidden, weight, bias), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_the_gradient_of_few_is_that_of_all_on_average() -> None:
    """A ratio of estimates is a little off; with 20 of 30 symbols it is within a few hundredths."""
    torch.manual_seed(0)
    hidden, weight, bias, right = leaves()
    parts = (hidden, weight, bias)
    expected = gradients(Choices(*parts).nats(right), *parts)
    shortlist = Shortlist(torch.rand(V) + 0.5, 20)
    rounds = 1_500
    total = [torch.zeros_like(one) for one in expected]
    nats = 0.0
    for _ in range(rounds):
        loss = Choices(*parts, shortlist).nats(right)
        nats += float(loss.detach()) / rounds
        for sum_, one in zip(total, gradients(loss, *parts), strict=True):
            sum_ += one / rounds
    assert nats == pytest.approx(float(Choices(*parts).nats(right).detach()), rel=0.02)
    for found, wanted in zip(total, expected, strict=True):
        assert float((found - wanted).norm() / wanted.norm()) < 0.05


def test_the_gradient_holds_the_rows_of_the_drawn_and_the_right_alone() -> None:
    torch.manual_seed(0)
    hidden, weight, bias, right = leaves()
    Choices(hidden, weight, bias, Shortlist(torch.ones(V), 5)).nats(right).backward()
    assert weight.grad is not None and weight.grad.is_sparse
    rows = set(weight.grad.coalesce().indices()[0].tolist())
    assert set(right.tolist()) <= rows
    assert len(rows) <= 5 + len(right)


def test_scores_in_pieces_are_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "_SCORES", 2 * V + 1)
    hidden, weight, bias, _ = leaves()
    whole = Choices(hidden, weight, bias)
    pieces = list(whole.pieces())
    assert [len(scores) for _, scores in pieces] == [2, 2, 2]
    torch.testing.assert_close(torch.cat([scores for _, scores in pieces]), whole.scores())
    for part, scores in pieces:
        torch.testing.assert_close(scores, whole.scores()[part])


def test_a_tied_head_answers_by_the_vectors_that_are_read() -> None:
    symbols = Embedding(V, H)
    head = Tied(symbols)
    assert [name for name, _ in head.named_parameters()] == ["bias"]
    h = torch.randn(2, 3, H)
    torch.testing.assert_close(head(h), h @ symbols.weight.T)
    head(h).sum().backward()
    assert symbols.weight.grad is not None
