"""Positions against their equations, and the properties that they are chosen for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.attention.positions import Learned, Sinusoidal, sinusoids, slopes, turn, turns
from unrolled.reference.attention import rotate, sinusoid


@pytest.mark.parametrize("width", [1, 6, 7])
def test_sinusoids_are_the_textbook_s(width: int) -> None:
    expected = np.stack([sinusoid(t, width) for t in (0, 3, 5000)])
    np.testing.assert_allclose(sinusoids(torch.tensor([0, 3, 5000]), width).numpy(), expected, atol=1e-9)
    layer, x = Sinusoidal(width).double(), torch.randn(2, 3, width, dtype=torch.float64)
    with torch.no_grad():
        layer.gain.fill_(2.5)
        found = layer(x, torch.tensor([0, 3, 5000])) - x
    np.testing.assert_allclose(found[1].numpy(), 2.5 * expected, atol=1e-9)


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_turning_is_the_textbook_s_product_of_complex_numbers(width: int) -> None:
    x = torch.randn(7, 3, width, dtype=torch.float64)  # (T, H, D)
    found = turn(x, turns(torch.arange(7), width, x))
    for head in range(3):
        np.testing.assert_allclose(found[:, head].numpy(), rotate(x[:, head].numpy()), atol=1e-12)
    torch.testing.assert_close(found.norm(dim=-1), x.norm(dim=-1))
    if width % 2:
        assert torch.equal(found[..., -1], x[..., -1])


def test_a_turned_product_knows_the_distance_alone_even_after_a_million_steps() -> None:
    q, k = torch.randn(2, 1, 1, 16)

    def product(at: int, apart: int) -> torch.Tensor:
        one, other = (turn(x, turns(torch.tensor([t]), 16, q)) for x, t in ((q, at), (k, at + apart)))
        return (one * other).sum()

    for at in (1, 1000, 1_000_000, 1_000_000_000):
        torch.testing.assert_close(product(at, 5), product(0, 5), atol=1e-5, rtol=0)
    assert not torch.isclose(product(0, 4), product(0, 5))


def test_rows_that_stand_at_different_steps() -> None:
    places, x = torch.tensor([[0, 1], [5, 6]]), torch.randn(2, 2, 3, 4)
    found = turn(x, turns(places, 4, x))
    for row in range(2):
        assert torch.equal(found[row], turn(x[row], turns(places[row], 4, x)))


def test_slopes_are_the_paper_s() -> None:
    assert slopes(8) == [2.0**-k for k in range(1, 9)]
    assert slopes(1) == [2**-8]
    assert slopes(6) == [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]


def test_a_learned_table_ends_and_says_so() -> None:
    layer, x = Learned(4, longest=5), torch.zeros(2, 3, 4)
    torch.testing.assert_close(layer(x, torch.tensor([2, 3, 4]))[1], layer.weight[2:5])
    with pytest.raises(ShapeError, match="a row has 6 steps, but there are only 5 learned positions: choose .* rotary"):
        layer(x, torch.tensor([3, 4, 5]))
    padded = layer(x, torch.tensor([[3, 4, 5], [0, 1, 2]]), torch.tensor([2, 3]))
    torch.testing.assert_close(padded[0, :2], layer.weight[3:5])


def test_numbers_out_of_range() -> None:
    with pytest.raises(UsageError, match="Learned: longest must be at least 1, got 0"):
        Learned(4, longest=0)
    with pytest.raises(UsageError, match="Learned: width must be at least 1, got 0"):
        Learned(0)
    with pytest.raises(UsageError, match="Sinusoidal: width must be at least 1, got 0"):
        Sinusoidal(0)
