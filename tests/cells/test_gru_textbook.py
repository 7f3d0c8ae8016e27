"""The textbook's GRU against its equations in NumPy, and where it is that of torch."""

from __future__ import annotations

import torch

from unrolled.cells.gru import GRU, GRUState
from unrolled.cells.gru_textbook import GRUTextbook
from unrolled.reference import gru_textbook
from unrolled.reference.names import TorchWeights, gru_textbook_from_layer


def cell_and_inputs() -> tuple[GRUTextbook, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    cell = GRUTextbook(3, 4).double()
    with torch.no_grad():
        for weight in cell.parameters():
            weight.copy_(torch.randn_like(weight))
    return cell, torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)


def test_the_equations() -> None:
    cell, x, h = cell_and_inputs()
    weights = gru_textbook_from_layer(TorchWeights(*(weight.detach().numpy() for weight in cell.weights())))
    expected, _ = gru_textbook.step(x.T.numpy(), h.T.numpy(), weights)
    torch.testing.assert_close(cell(x, GRUState(h))[0], torch.from_numpy(expected.T.copy()), atol=1e-12, rtol=0)


def test_it_is_torch_s_where_nothing_is_reset() -> None:
    cell, x, h = cell_and_inputs()
    other = GRU(3, 4).double()
    other.load_state_dict(cell.state_dict())
    assert not torch.allclose(cell(x, GRUState(h))[0], other(x, GRUState(h))[0], atol=1e-3)
    with torch.no_grad():
        for one in (cell, other):
            one.bias_ih[:4] = 100  # r = 1
    torch.testing.assert_close(cell(x, GRUState(h))[0], other(x, GRUState(h))[0], atol=1e-12, rtol=0)


def test_a_step_of_keras_with_reset_after_false() -> None:
    """h' = (1 - z) tanh(x + (r h)) + z h by hand: W = 1, b = 0, x = 1, h = 2."""
    cell = GRUTextbook(1, 1)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.fill_(1.0 if weight.dim() == 2 else 0.0)
    gate = torch.sigmoid(torch.tensor(3.0))
    expected = (1 - gate) * torch.tanh(1 + gate * 2) + gate * 2
    y, _ = cell(torch.ones(1, 1), GRUState(torch.full((1, 1), 2.0)))
    torch.testing.assert_close(y, expected.view(1, 1))
