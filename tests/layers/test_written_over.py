"""An output may be written over in place, as a GRU's and an RNN's of torch.nn may: the gradients stay right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.utils.checkpoint import checkpoint

from unrolled import layers

X = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def add(y: Tensor) -> None:
    y += 1


def set_to_zero(y: Tensor) -> None:
    y[2] = 0


WRITES: dict[str, Callable[[Tensor], Any]] = {
    "y += 1": add,
    "y[2] = 0": set_to_zero,
    "relu": lambda y: relu(y, inplace=True),
    "masked_fill_": lambda y: y.masked_fill_(y > 0.1, 0.5),
    "a view": lambda y: y[1:].mul_(2),
}


def gradients(layer: Any, x: Tensor, write: Callable[[Tensor], Any], copied: bool) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y, _ = layer(x)
    y = y.clone() if copied else y
    write(y)
    loss = (y * torch.arange(y.numel(), dtype=y.dtype).view(y.shape)).sum()
    return list(torch.autograd.grad(loss, [x, *layer.parameters()]))


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("settings", [{}, {"batch_first": True}, {"num_layers": 2, "bidirectional": True}])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_as_if_a_copy_had_been_written_over(name: str, settings: dict[str, Any], write: str) -> None:
    layer = getattr(layers, name)(5, 7, dtype=torch.float64, **settings)
    for x in (X, X[:, 0]):
        found = gradients(layer, x, WRITES[write], copied=False)
        for mine, expected in zip(found, gradients(layer, x, WRITES[write], copied=True), strict=True):
            torch.testing.assert_close(mine, expected, atol=1e-10, rtol=1e-12)


def test_where_torch_s_own_loop_trains_the_lstm_it_is_refused_as_there() -> None:
    """Many rows of few units; torch.nn.LSTM refuses it at every size, never with wrong gradients."""
    for library in (nn, layers):
        layer, x = library.LSTM(5, 7), torch.randn(6, 70, 5)
        y, _ = layer(x)
        y += 1
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_large_outputs_whose_memory_is_used_again() -> None:
    layer, x = layers.GRU(32, 128), torch.randn(60, 64, 32)
    for mine, expected in zip(gradients(layer, x, add, False), gradients(layer, x, add, True), strict=True):
        torch.testing.assert_close(mine, expected)


def test_within_a_checkpoint_and_after_dropout_in_place() -> None:
    model = nn.Sequential(layers.GRU(5, 7, dtype=torch.float64))
    x = X.clone().requires_grad_()
    y = checkpoint(lambda x: model(x)[0], x, use_reentrant=False)
    y += 1
    (found,) = torch.autograd.grad((y**2).sum(), x)
    (expected,) = torch.autograd.grad(((model(x)[0] + 1) ** 2).sum(), x)
    torch.testing.assert_close(found, expected)
    nn.Dropout(0.5, inplace=True)(model(x)[0]).sum().backward()


def test_weights_that_are_written_over_are_noticed() -> None:
    layer = layers.GRU(5, 7, dtype=torch.float64)
    y, _ = layer(X)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_second_walk_back_needs_the_graph() -> None:
    layer = layers.GRU(5, 7, dtype=torch.float64)
    loss = layer(X)[0].sum()
    first = torch.autograd.grad(loss, layer.weight_hh_l0, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, layer.weight_hh_l0)[0], first)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()
