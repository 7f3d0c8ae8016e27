from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.layers import item_outputs
from unrolled.layers.item_logits import LazyLogits
from unrolled.layers.sampled_softmax import CandidateSampler

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
    plain = LazyLogits(hidden, weight, bias).nats(right)
    drawn = LazyLogits(hidden, weight, bias, CandidateSampler(torch.rand(V) + 0.1, V)).nats(right)
    torch.testing.assert_close(plain, exact)
    torch.testing.assert_close(drawn, exact)
    for found, expected in zip(
        gradients(drawn, hidden, weight, bias), gradients(exact, hidden, weight, bias), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_the_gradient_of_few_is_that_of_all_on_average() -> None:
    """The logarithm of an estimate is a little low; where no symbol has most of the sum it hardly shows."""
    torch.manual_seed(0)
    hidden, weight, bias, right = leaves()
    parts = ((0.1 * hidden).detach().requires_grad_(), weight, (0.1 * bias).detach().requires_grad_())
    exact = LazyLogits(*parts).nats(right)
    expected = gradients(exact, *parts)
    sampler = CandidateSampler(1 / torch.arange(3.0, V + 3), 15)  # the first is drawn thrice as often as the last
    rounds = 1_000
    total = [torch.zeros_like(one) for one in expected]
    nats = torch.zeros(())
    for _ in range(rounds):
        loss = LazyLogits(*parts, sampler).nats(right)
        nats += loss.detach() / rounds
        for sum_, one in zip(total, gradients(loss, *parts), strict=True):
            sum_ += one / rounds
    torch.testing.assert_close(nats, exact.detach(), rtol=0.01, atol=0)
    for found, wanted in zip(total, expected, strict=True):
        assert float((found - wanted).norm() / wanted.norm()) < 0.03
    sampler.chances.fill_(1)  # drawn as before, but counted as if all were there: this must show
    wrong = sum(float(LazyLogits(*parts, sampler).nats(right).detach()) for _ in range(20)) / 20
    assert wrong < 0.9 * float(exact.detach())


def test_the_gradient_holds_the_rows_of_the_drawn_and_the_right_alone() -> None:
    torch.manual_seed(0)
    hidden, weight, bias, right = leaves()
    LazyLogits(hidden, weight, bias, CandidateSampler(torch.ones(V), 5)).nats(right).backward()
    assert weight.grad is not None and weight.grad.is_sparse
    rows = set(weight.grad.coalesce().indices()[0].tolist())
    assert set(right.tolist()) <= rows
    assert len(rows) <= 5 + len(right)


def test_the_chances_in_pieces_are_those_of_all_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_outputs, "_LARGEST", 2 * V + 1)
    hidden, weight, bias, right = leaves()
    logits = LazyLogits(hidden, weight, bias)
    pieces = list(logits.pieces(right))
    assert [len(chances.every) for _, chances in pieces] == [2, 2, 2]
    chances = torch.cat([chances.every for _, chances in pieces])
    torch.testing.assert_close(chances, logits.scores().softmax(-1))
    nats = torch.cat([chances.nats for _, chances in pieces])
    torch.testing.assert_close(nats, -chances[torch.arange(N), right].log())


def test_a_right_answer_that_is_very_unlikely_has_a_finite_loss() -> None:
    scores = torch.tensor([[0.0, -400.0]])
    chances = LazyLogits(torch.ones(1, 1), scores.T, torch.zeros(2)).chances(torch.tensor([1]))
    assert chances.every[0, 1] == 0 and chances.nats.tolist() == [400.0]


def test_without_hidden_states_the_bias_says_all() -> None:
    logits = LazyLogits(torch.zeros(2, 3, 0), torch.zeros(4, 0), torch.arange(4.0))
    assert torch.equal(logits.scores(), torch.arange(4.0).expand(2, 3, 4))
