"""The IRNN keeps what it holds, over any number of steps, and so does the gradient."""

from __future__ import annotations

import torch

from unrolled.cells.irnn import irnn
from unrolled.cells.rnn import RNNState
from unrolled.layers.recurrence.unroll import unroll


def test_it_starts_as_the_identity() -> None:
    cell = irnn(3, 4)
    assert torch.equal(cell.weight_hh, torch.eye(4))
    assert not cell.bias_ih.any()
    assert not cell.bias_hh.any()
    assert 0 < cell.weight_ih.abs().max() < 0.01
    assert cell.nonlinearity == "relu"
    assert cell.kernel == "rnn_relu"


def test_it_remembers_for_five_hundred_steps() -> None:
    first = torch.tensor([[1.0, 2.0, 0.5, 3.0]], requires_grad=True)
    y, state = unroll(irnn(3, 4), torch.zeros(1, 500, 3), None, RNNState(first))
    assert torch.equal(y[:, -1], first)
    (gradient,) = torch.autograd.grad(state.h.sum(), first)
    assert torch.equal(gradient, torch.ones(1, 4))
