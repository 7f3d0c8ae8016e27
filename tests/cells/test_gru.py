"""The GRU against its equations in NumPy and against torch's own cell."""

from __future__ import annotations

import torch
from torch import nn

from unrolled.cells.gru import GRU, GRUState
from unrolled.reference import gru
from unrolled.reference.names import TorchWeights, gru_from_torch


def cell_and_inputs() -> tuple[GRU, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    cell = GRU(3, 4).double()
    for bias in (cell.bias_ih, cell.bias_hh):
        nn.init.normal_(bias)
    return cell, torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)


def test_the_equations() -> None:
    cell, x, h = cell_and_inputs()
    weights = gru_from_torch(TorchWeights(*(weight.detach().numpy() for weight in cell.weights())))
    expected, _ = gru.step(x.T.numpy(), h.T.numpy(), weights)
    torch.testing.assert_close(cell(x, GRUState(h))[0], torch.from_numpy(expected.T.copy()), atol=1e-12, rtol=0)


def test_the_variant_is_torch_s() -> None:
    cell, x, h = cell_and_inputs()
    other = nn.GRUCell(3, 4, dtype=torch.float64)
    other.load_state_dict(cell.state_dict())
    torch.testing.assert_close(cell(x, GRUState(h))[0], other(x, h), atol=1e-12, rtol=0)


def test_an_open_update_gate_keeps_the_state() -> None:
    """z = 1 keeps: a reversed interpolation would pass every test that compares a layer with itself."""
    cell, x, h = cell_and_inputs()
    with torch.no_grad():
        cell.bias_ih[4:8] = 1e3
    torch.testing.assert_close(cell(x, GRUState(h))[0], h)
