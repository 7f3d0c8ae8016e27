"""L-BFGS finds the lowest point of each problem, and problems that are solved together do not touch each other."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.solved._lbfgs import minimise


def bowls(x: Tensor, places: Tensor, steep: Tensor) -> tuple[Tensor, Tensor]:
    """Σ s (x − a)² + (x − a)⁴ and its gradient, one bowl for each row."""
    away = x - places
    return (steep * away**2 + away**4).sum(1).double(), 2 * steep * away + 4 * away**3


def test_each_problem_reaches_its_own_lowest_point() -> None:
    places = torch.tensor([[1.0, -2.0, 3.0], [0.0, 10.0, 0.5]])
    steep = torch.tensor([[1.0, 100.0, 0.1], [1.0, 1.0, 50.0]])
    found = minimise(lambda x: bowls(x, places, steep), torch.zeros(2, 3), 200, 1e-9)
    assert torch.allclose(found, places, atol=0.02)


def test_together_is_as_alone() -> None:
    places, steep = torch.randn(3, 5), torch.rand(3, 5) + 0.1
    together = minimise(lambda x: bowls(x, places, steep), torch.zeros(3, 5), 100, 1e-8)
    for row in range(3):
        some = slice(row, row + 1)
        alone = minimise(lambda x: bowls(x, places[some], steep[some]), torch.zeros(1, 5), 100, 1e-8)  # noqa: B023
        assert torch.allclose(together[some], alone, atol=0.02)


def test_a_problem_that_is_solved_stays_where_it_is() -> None:
    start = torch.tensor([[1.0, 2.0]])
    assert torch.equal(minimise(lambda x: bowls(x, start, torch.ones(1, 2)), start, 20), start)
