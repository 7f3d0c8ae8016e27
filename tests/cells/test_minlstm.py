"""The minLSTM against its equations in NumPy, and gates that both vanish."""

from __future__ import annotations

import torch

from unrolled.cells.minlstm import MinLSTM, MinLSTMState
from unrolled.reference import minlstm
from unrolled.reference.names import minlstm_from_layer


def cell_and_inputs() -> tuple[MinLSTM, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return MinLSTM(3, 4).double(), torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)


def test_the_equations() -> None:
    cell, x, h = cell_and_inputs()
    weights = minlstm_from_layer(*(weight.detach().numpy() for weight in cell.weights()))
    expected, _ = minlstm.step(x.T.numpy(), h.T.numpy(), weights)
    torch.testing.assert_close(cell(x, MinLSTMState(h))[0], torch.from_numpy(expected.T.copy()), atol=1e-12, rtol=0)


def test_two_gates_that_are_nothing_share_out_one_all_the_same() -> None:
    """0 / (0 + 0) would be NaN; with both sums at -2000 the gates are equal, so that each gets a half."""
    cell, x, h = cell_and_inputs()
    with torch.no_grad():
        cell.weight_ih[:8] = 0
        cell.bias_ih[:8] = -2000
        candidate = x @ cell.weight_ih[8:].T + cell.bias_ih[8:]
        torch.testing.assert_close(cell(x, MinLSTMState(h))[0], (h + candidate) / 2)


def test_units_start_with_different_memories() -> None:
    cell = MinLSTM(3, 9)
    kept, _ = MinLSTM.terms(cell, torch.zeros(1, 3))
    times = 1 / (1 - kept[0].detach())
    torch.testing.assert_close(times[[0, -1]], torch.tensor([2.0, 128.0]), atol=1e-2, rtol=0)
    assert (times.diff() > 0).all()
