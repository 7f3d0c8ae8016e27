"""The short convolution against its sum, in chunks, and with rows that end early."""

from __future__ import annotations

import pytest
import torch

from unrolled.layers.short_convolution import short_convolution

B, T, W, SIGHT = 3, 7, 2, 4


def given() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return tuple(torch.randn(*shape, generator=random) for shape in ((B, T, W), (SIGHT, W), (B, SIGHT - 1, W)))


def test_the_sum() -> None:
    x, weight, recent = given()
    y, last = short_convolution(x, weight, recent)
    every = torch.cat([recent, x], 1)
    for t in range(T):
        expected = sum(weight[SIGHT - 1 - j] * every[:, SIGHT - 1 + t - j] for j in range(SIGHT))
        torch.testing.assert_close(y[:, t], expected)
    assert torch.equal(last, x[:, -3:])


@pytest.mark.parametrize("cut", [0, 1, 5, 7])
def test_in_two_chunks(cut: int) -> None:
    x, weight, recent = given()
    whole, end = short_convolution(x, weight, recent)
    first, between = short_convolution(x[:, :cut], weight, recent)
    second, last = short_convolution(x[:, cut:], weight, between)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(last, end)


def test_rows_that_end_early_keep_their_own_last_inputs() -> None:
    x, weight, recent = given()
    lengths = [7, 1, 0]
    _, last = short_convolution(x, weight, recent, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        assert torch.equal(last[row], torch.cat([recent[row], x[row, :length]])[-3:])


def test_what_is_kept_does_not_hold_on_to_the_whole_row() -> None:
    x, weight, recent = given()
    _, last = short_convolution(x, weight, recent)
    assert last.untyped_storage().nbytes() == last.nbytes
