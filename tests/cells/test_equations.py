"""Equations as data."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.equations import names_in, parsed, worked_out
from unrolled.errors import UsageError


def test_an_equation_is_read_with_the_order_of_its_operations() -> None:
    tree = parsed("(1 - z) * n + z * h_before / 2")
    assert tree == ["+", ["*", ["-", 1.0, "z"], "n"], ["/", ["*", "z", "h_before"], 2.0]]
    assert names_in(tree) == ["z", "n", "h_before"]
    values = {"z": torch.tensor([0.25, 1.0]), "n": torch.tensor([2.0, 9.0]), "h_before": torch.tensor([4.0, -6.0])}
    assert worked_out(tree, values).tolist() == [2.0, -3.0]


def test_functions_are_those_of_torch() -> None:
    v = torch.linspace(-2, 2, 5)
    for name in ("sigmoid", "tanh", "relu", "exp"):
        assert torch.equal(worked_out(parsed(f"{name}(v)"), {"v": v}), getattr(torch, name)(v))
    assert worked_out(parsed("maximum(v, w)"), {"v": v, "w": torch.zeros(5)}).tolist() == [0, 0, 0, 1, 2]


@pytest.mark.parametrize("equation", ["a +", "a ** 2", "log(a)", "a.b", "tanh(a, b)", "maximum(a)", "'a'", "-a"])
def test_anything_else_is_refused(equation: str) -> None:
    with pytest.raises(UsageError, match="of a cell cannot be read: it may have names, numbers, "):
        parsed(equation)
