"""The normalised LSTM: its equations in torch's own words, what it starts as, and what does not change it."""

from __future__ import annotations

import torch
from torch import nn

from unrolled.cells.lnlstm import LayerNormLSTM
from unrolled.cells.lstm import LSTMState
from unrolled.layers.recurrent import Recurrent


def test_the_equations_with_torch_s_layer_norm() -> None:
    torch.manual_seed(0)
    cell, norm = LayerNormLSTM(3, 4).double(), nn.LayerNorm
    x, h, c = (torch.randn(2, n, dtype=torch.float64) for n in (3, 4, 4))
    over_x, over_h, over_c = norm(16, eps=1e-3).double(), norm(16, eps=1e-3).double(), norm(4, eps=1e-3).double()
    z = over_x(x @ cell.weight_ih.T) + 0.5 * over_h(h @ cell.weight_hh.T)
    i, f, g, o = z.split(4, 1)
    after = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
    y, state = cell(x, LSTMState(h, c))
    torch.testing.assert_close(state.c, after, atol=1e-12, rtol=0)
    torch.testing.assert_close(y, torch.sigmoid(o) * torch.tanh(over_c(after)), atol=1e-12, rtol=0)
    assert torch.equal(y, state.h)


def test_the_scale_of_the_input_does_not_matter() -> None:
    cell, x = LayerNormLSTM(3, 8).double(), torch.randn(2, 3, dtype=torch.float64)
    first = cell.initial_state(2, x)
    torch.testing.assert_close(cell(x * 1e6, first)[0], cell(x * 1e3, first)[0], atol=1e-6, rtol=0)


def test_rounding_does_not_grow_over_a_hundred_steps() -> None:
    """With products in float32, a row alone would be 10⁻⁵ to 10⁻⁴ from itself in a batch."""
    torch.manual_seed(0)
    layer, x = Recurrent(3, 16, "lnlstm", num_layers=2), torch.randn(5, 100, 3)
    with torch.no_grad():
        for (cell,) in layer.layers:
            cell.gain_hh.fill_(1.0)
        together = layer(x)[0]
        for row in range(5):
            torch.testing.assert_close(layer(x[row : row + 1])[0], together[row : row + 1], atol=1e-7, rtol=0)


def test_it_takes_the_types_that_other_cells_take() -> None:
    x = torch.randn(2, 5, 3)
    assert Recurrent(3, 4, "lnlstm").bfloat16()(x.bfloat16())[0].dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert Recurrent(3, 4, "lnlstm")(x)[0].dtype == torch.float32


def test_how_it_starts() -> None:
    cell = LayerNormLSTM(3, 4)
    assert cell.bias.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    assert all(bool((gain == 1).all()) for gain in (cell.gain_ih, cell.gain_c)) and bool((cell.gain_hh == 0.5).all())
    assert not cell.bias_c.any()
    assert repr(cell) == "LayerNormLSTM(3, 4)"
