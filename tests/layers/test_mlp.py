"""The MLP sees one step at a time and remembers nothing."""

from __future__ import annotations

import pytest
import torch

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.mlp import MLP


def test_each_step_by_itself() -> None:
    layer, x = MLP(3, 8, num_layers=2).eval(), torch.randn(2, 4, 3)
    y, state = layer(x)
    assert state == ()
    torch.testing.assert_close(layer(x[:, 2:3])[0][:, 0], y[:, 2])
    torch.testing.assert_close(layer.step(x[:, 1], ())[0], y[:, 1])


def test_the_equation() -> None:
    layer, x = MLP(3, 4), torch.randn(1, 1, 3)
    linear = layer.layers[0]
    assert isinstance(linear, torch.nn.Linear)
    expected = torch.relu(linear.weight @ x[0, 0] + linear.bias)
    torch.testing.assert_close(layer(x)[0][0, 0], expected)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UsageError, match="num_layers must be at least 1, got 0"):
        MLP(3, 4, num_layers=0)
    with pytest.raises(ShapeError, match=r"MLP: x has shape \(2, 4\), expected \(B, I\) with I = 3"):
        MLP(3, 4).step(torch.zeros(2, 4), ())
