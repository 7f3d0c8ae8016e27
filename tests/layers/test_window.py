"""The window against its equation, written as a loop."""

from __future__ import annotations

import pytest
import torch
from configs import model_config

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.window import Window


def test_the_equation() -> None:
    layer = Window(2, 3, window=4).double()
    torch.nn.init.normal_(layer.weight)
    x = torch.randn(1, 6, 2, dtype=torch.float64)
    y, _ = layer(x)
    for t in range(6):
        total = torch.zeros(3, dtype=torch.float64)
        for j in range(min(4, t + 1)):
            total += layer.weight[:, :2, j] @ x[0, t - j] + layer.weight[:, 2, j]
        torch.testing.assert_close(y[0, t], torch.relu(total), atol=1e-12, rtol=0)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    layer, x = Window(1, 8, window=3), torch.randn(1, 5, 1)
    other = x.clone()
    other[:, :2] += 1
    assert torch.equal(layer(x)[0][:, 4], layer(other)[0][:, 4])
    assert not torch.equal(layer(x)[0][:, 3], layer(other)[0][:, 3])


def test_a_step_that_is_not_there_is_not_a_step_of_zeros() -> None:
    layer = Window(1, 8, window=3)
    torch.nn.init.normal_(layer.weight)
    assert not torch.equal(layer(torch.zeros(1, 3, 1))[0][:, 2], layer(torch.zeros(1, 1, 1))[0][:, 0])


def test_a_window_of_one_step_has_an_empty_state() -> None:
    layer = Window(2, 3, window=1)
    _, state = layer(torch.randn(4, 5, 2))
    assert state.recent.shape == (4, 0, 3)


@pytest.mark.parametrize("window", [1, 4, 9])
def test_the_last_answer_alone(window: int) -> None:
    layer, x, lengths = Window(2, 3, window), torch.randn(3, 6, 2), torch.tensor([6, 2, 0])
    _, before = layer(torch.randn(3, 5, 2))
    for state in (None, before):
        whole, after = layer(x, lengths, state)
        last, also_after = layer.last(x, lengths, state)
        torch.testing.assert_close(last[:2], torch.stack([whole[0, 5], whole[1, 1]]), atol=1e-6, rtol=0)
        assert torch.equal(after.recent, also_after.recent)
    assert layer.last(torch.zeros(2, 0, 2))[0].shape == (2, 3)


def test_it_is_built_from_a_config() -> None:
    layer = Window.build(model_config(name="window", hidden=6, window=9, layers=3, dropout=0.5), 2)
    assert (layer.window, layer.output_size, layer.input_size) == (9, 6, 2)
    assert sum(isinstance(part, torch.nn.Linear) for part in layer.deeper) == 2


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UsageError, match="window must be at least 1, got 0"):
        Window(1, 2, window=0)
    layer = Window(2, 3, window=4)
    with pytest.raises(ShapeError, match=r"state.recent has shape \(1, 3, 3\), expected \(2, 3, 3\)"):
        layer(torch.zeros(2, 5, 2), None, layer.initial_state(1, torch.zeros(())))
    with pytest.raises(ShapeError, match=r"Window: x has shape \(2, 5, 1\), expected \(B, T, I\) with I = 2"):
        layer(torch.zeros(2, 5, 1))
