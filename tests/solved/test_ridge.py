"""Leaving out a row by the formula is what solving again without it gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from unrolled.solved import _ridge
from unrolled.solved._ridge import heat_of, solve_ridge


def again(features: Tensor, target: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights and bias from the normal equations."""
    x, y = features.double(), target.double()
    x0, y0 = x.mean(0), y.mean(0)
    x, y = x - x0, y - y0
    weight = torch.linalg.solve(x.T @ x + penalty * torch.eye(x.shape[1], dtype=torch.float64), x.T @ y)
    return weight, y0 - x0 @ weight


@pytest.mark.parametrize(("rows", "features"), [(12, 40), (40, 12), (20, 20)])
@pytest.mark.parametrize("share", [1e-2, 1.0])
def test_left_out_rows_are_answered_as_if_they_had_not_been_there(
    rows: int, features: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, features, generator=generator)
    x -= x.mean(0)
    y = x[:, :2] + torch.randn(rows, 2, generator=generator)
    monkeypatch.setattr(_ridge, "_PENALTIES", torch.tensor([share], dtype=torch.float64))
    found = solve_ridge(x, y)
    weight, bias = again(x, y, found.penalty)
    assert torch.allclose(found.weight.double(), weight, atol=1e-4)
    assert torch.allclose(found.bias.double(), bias, atol=1e-5)
    for row in range(rows):
        others = torch.arange(rows) != row
        weight, bias = again(x[others], y[others], found.penalty)
        assert torch.allclose(found.left_out[row].double(), x[row].double() @ weight + bias, atol=1e-3)


def test_labels_by_chance_are_not_called_right() -> None:
    """The matrix of centred rows has the eigenvalue 0: who forgets it finds every left-out row to be right."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 2000, generator=generator)
    labels = torch.randint(2, (40,), generator=generator)
    found = solve_ridge(x - x.mean(0), 2.0 * torch.nn.functional.one_hot(labels, 2) - 1)
    assert (found.left_out.argmax(1) == labels).float().mean() < 0.7


def test_heat_makes_scores_probabilities() -> None:
    """Logits of three times the scores drew the labels."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(4000, 3, generator=generator)
    labels = torch.multinomial(torch.softmax(3 * scores, 1), 1, generator=generator)[:, 0]
    assert heat_of(scores, labels) == pytest.approx(3, rel=0.15)
    several = (torch.rand(4000, 3, generator=generator) < torch.sigmoid(3 * scores)).float()
    assert heat_of(scores, several) == pytest.approx(3, rel=0.15)


def test_scores_that_are_always_right_give_no_certainty() -> None:
    labels = torch.arange(20) % 2
    scores = 2.0 * torch.nn.functional.one_hot(labels, 2) - 1
    chance = torch.softmax(scores * heat_of(scores, labels), 1).amax(1)
    assert (chance < 0.99).all()
