"""The LSTM against its equations in NumPy and against torch's own cell."""

from __future__ import annotations

import torch
from torch import nn

from unrolled.cells.lstm import LSTM, LSTMState
from unrolled.reference import lstm
from unrolled.reference.names import TorchWeights, lstm_from_torch


def cell_and_inputs() -> tuple[LSTM, torch.Tensor, LSTMState]:
    torch.manual_seed(0)
    cell = LSTM(3, 4).double()
    for bias in (cell.bias_ih, cell.bias_hh):
        nn.init.normal_(bias)
    draw = [torch.randn(2, n, dtype=torch.float64) for n in (3, 4, 4)]
    return cell, draw[0], LSTMState(*draw[1:])


def test_the_equations() -> None:
    cell, x, (h, c) = cell_and_inputs()
    weights = lstm_from_torch(TorchWeights(*(weight.detach().numpy() for weight in cell.weights())))
    a_next, c_next, _ = lstm.step(x.T.numpy(), h.T.numpy(), c.T.numpy(), weights)
    y, state = cell(x, LSTMState(h, c))
    torch.testing.assert_close(y, torch.from_numpy(a_next.T.copy()), atol=1e-12, rtol=0)
    torch.testing.assert_close(state.c, torch.from_numpy(c_next.T.copy()), atol=1e-12, rtol=0)
    assert state.h is y


def test_it_is_torch_s() -> None:
    cell, x, state = cell_and_inputs()
    other = nn.LSTMCell(3, 4, dtype=torch.float64)
    other.load_state_dict(cell.state_dict())
    for mine, theirs in zip(cell(x, state)[1], other(x, tuple(state)), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-12, rtol=0)


def test_the_forget_bias_starts_at_one_over_both_biases() -> None:
    cell = LSTM(3, 4)
    total = (cell.bias_ih + cell.bias_hh).tolist()
    assert total == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
