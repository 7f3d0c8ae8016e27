"""The simple cell against its equation in NumPy, for each nonlinearity."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.rnn import RNN, RNNState
from unrolled.errors import UsageError
from unrolled.layers.recurrence.unroll import unroll
from unrolled.reference import rnn
from unrolled.reference.names import TorchWeights, rnn_from_torch, to_columns


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid"])
def test_the_equation(nonlinearity: str) -> None:
    cell = RNN(3, 4, nonlinearity).double()
    torch.nn.init.normal_(cell.bias_ih)
    torch.nn.init.normal_(cell.bias_hh)
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    weights = rnn_from_torch(TorchWeights(*(weight.detach().numpy() for weight in cell.weights())))
    expected = rnn.step(x.T.numpy(), h.T.numpy(), weights, nonlinearity).T
    y, state = cell(x, RNNState(h))
    torch.testing.assert_close(y, torch.from_numpy(expected), atol=1e-12, rtol=0)
    assert state.h is y


def test_sigmoid_over_time_is_the_plain_loop() -> None:
    cell = RNN(3, 4, "sigmoid").double()
    assert cell.kernel is None
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    weights = rnn_from_torch(TorchWeights(*(weight.detach().numpy() for weight in cell.weights())))
    h = rnn.forward(to_columns(x.numpy()), torch.zeros(4, 2, dtype=torch.float64).numpy(), weights, "sigmoid")
    y, state = unroll(cell, x, torch.tensor([6, 3]))
    expected = torch.from_numpy(h.transpose(1, 2, 0).copy())
    torch.testing.assert_close(y[0], expected[0], atol=1e-12, rtol=0)
    torch.testing.assert_close(y[1, :3], expected[1, :3], atol=1e-12, rtol=0)
    assert not y[1, 3:].any()
    assert torch.equal(state.h[1], y[1, 2])


def test_an_unknown_nonlinearity() -> None:
    with pytest.raises(UsageError, match=r"unknown nonlinearity 'tahn'. Did you mean 'tanh'\?"):
        RNN(3, 4, "tahn")  # type: ignore[arg-type]
