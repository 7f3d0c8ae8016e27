"""Lengths: what is refused and how it is said; turning rows round; the last real step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.errors import ShapeError
from unrolled.layers.lengths import check_lengths, last_real, reverse_rows, zero_padding

X = torch.zeros(3, 5, 2)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([1.0, 2.0, 3.0]), r"GRU: lengths must be a tensor of integers, got torch.float32"),
        (torch.tensor([True, True, False]), r"got torch.bool"),
        ([1, 2, 3], r"must be a tensor of integers, got list"),
        (torch.tensor([1, 2]), r"lengths has shape \(2,\), expected \(3,\), .* x with shape \(3, 5, 2\)"),
        (torch.tensor([[1], [2], [3]]), r"lengths has shape \(3, 1\), expected \(3,\)"),
        (torch.tensor([1, 6, 2]), r"lengths\[1\] is 6, expected 0 … 5 for x with shape \(3, 5, 2\)"),
        (torch.tensor([1, 2, -1]), r"lengths\[2\] is -1, expected 0 … 5"),
    ],
)
def test_what_does_not_fit_is_named(lengths: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        check_lengths(lengths, X, "GRU")


def test_no_masking_where_nothing_is_padded() -> None:
    assert check_lengths(None, X, "GRU") is None
    assert check_lengths(torch.tensor([5, 5, 5]), X, "GRU") is None
    assert check_lengths(torch.tensor([5, 4, 5], dtype=torch.int8), X, "GRU").dtype == torch.int64


def test_zeroing_leaves_no_trace_of_nan() -> None:
    x = torch.full((1, 2, 1), float("nan"), requires_grad=True)
    y = zero_padding(x, torch.tensor([0]))
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert not y.any()
    assert not gradient.any()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_turning_twice_is_nothing_and_once_is_flip(lengths: list[int]) -> None:
    x, sizes = torch.randn(len(lengths), 6, 2), torch.tensor(lengths)
    turned = reverse_rows(x, sizes)
    assert torch.equal(reverse_rows(turned, sizes), x)
    for row, length in enumerate(lengths):
        assert torch.equal(turned[row, :length], x[row, :length].flip(0))
        assert torch.equal(turned[row, length:], x[row, length:])


def test_the_last_real_step() -> None:
    y = torch.arange(6.0).view(2, 3, 1)
    before = torch.tensor([[7.0], [8.0]])
    assert last_real(y, torch.tensor([2, 0]), before).tolist() == [[1.0], [8.0]]
