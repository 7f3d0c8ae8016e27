"""`scan` by itself, on the kernels and without them; test_c6_diagonal holds the two against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.kernels import library
from unrolled.layers.recurrence.diagonal_scan import scan


@pytest.fixture(autouse=True, params=["fast", "plain"])
def _both_paths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setenv(library.VARIABLE, "plain")


@pytest.mark.parametrize("reverse", [False, True])
def test_the_definition(reverse: bool) -> None:
    torch.manual_seed(0)
    (a, b), h_0, lengths = torch.randn(2, 3, 6, 5).double(), torch.randn(3, 5).double(), torch.tensor([6, 0, 4])
    h, h_n = scan(a, b, h_0, lengths, reverse)
    for row, length in enumerate(lengths.tolist()):
        state, expected = h_0[row], torch.zeros(6, 5).double()
        for t in reversed(range(length)) if reverse else range(length):
            state = expected[t] = a[row, t] * state + b[row, t]
        torch.testing.assert_close(h[row], expected, atol=1e-12, rtol=0)
        torch.testing.assert_close(h_n[row], state, atol=1e-12, rtol=0)


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(0)
    a, b = (torch.randn(2, 4, 3).double().requires_grad_() for _ in range(2))
    h_0 = torch.randn(2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda *given: scan(*given, torch.tensor([4, 2]), True), (a, b, h_0))


def test_a_second_derivative_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "plain")
    a, b = (torch.randn(1, 3, 2).double().requires_grad_() for _ in range(2))
    assert torch.autograd.gradgradcheck(lambda a, b: scan(a, b)[0], (a, b))


def test_signs_and_sizes_that_logarithms_would_not_take() -> None:
    a = torch.tensor([0.0, -1.0, 1e20, -1e-20, 0.0, 2.0]).view(1, 6, 1)
    h, _ = scan(a, torch.ones(1, 6, 1))
    expected, state = [], np.float32(0)
    for factor in a.flatten().numpy():
        state = factor * state + np.float32(1)
        expected.append(state)
    np.testing.assert_allclose(h.flatten().numpy(), expected, rtol=1e-6)


def test_odd_shapes() -> None:
    h, h_n = scan(torch.zeros(0, 4, 3), torch.zeros(0, 4, 3))
    assert (h.shape, h_n.shape) == ((0, 4, 3), (0, 3))
    first = torch.randn(2, 3)
    h, h_n = scan(torch.zeros(2, 0, 3), torch.zeros(2, 0, 3), first)
    assert h.shape == (2, 0, 3)
    assert torch.equal(h_n, first)
    a, b = torch.rand(1, 1, 1).expand(3, 5, 7), torch.randn(3, 5, 7)
    torch.testing.assert_close(scan(a, b), scan(a.contiguous(), b))
    torch.testing.assert_close(scan(a.half(), b.half())[0], scan(a, b)[0].half(), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (0, torch.zeros(2, 3), r"scan: a is \(2, 3\) torch.float32, expected \(B, T, H\) of a floating dtype"),
        (0, torch.zeros(2, 3, 4).long(), r"scan: a is \(2, 3, 4\) torch.int64"),
        (
            1,
            torch.zeros(2, 3, 5),
            r"scan: b is \(2, 3, 5\) .*, expected \(2, 3, 4\) torch.float32 on cpu, as of a with",
        ),
        (
            1,
            torch.zeros(2, 3, 4).double(),
            r"scan: b is \(2, 3, 4\) torch.float64 on cpu, expected \(2, 3, 4\) torch.f",
        ),
        (2, torch.zeros(3, 4), r"scan: h_0 is \(3, 4\) .*, expected \(2, 4\)"),
        (2, torch.zeros(2, 4, device="meta"), r"scan: h_0 is \(2, 4\) torch.float32 on meta, expected \(2, 4\)"),
        (3, torch.tensor([1, 4]), r"scan: lengths\[1\] is 4, expected 0 … 3"),
        (3, torch.tensor([1, 2, 3]), r"scan: lengths has shape \(3,\), expected \(2,\)"),
    ],
)
def test_what_does_not_fit_is_named(place: int, wrong: Tensor, message: str) -> None:
    given: list[Any] = [torch.zeros(2, 3, 4), torch.zeros(2, 3, 4), None, None]
    given[place] = wrong
    with pytest.raises(ShapeError, match=message):
        scan(*given)
