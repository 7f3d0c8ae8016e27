"""The minGRU against its equations in NumPy, and what its gate means."""

from __future__ import annotations

import torch

from unrolled.cells._diagonal import first_memory
from unrolled.cells.mingru import MinGRU, MinGRUState
from unrolled.reference import mingru
from unrolled.reference.names import mingru_from_layer


def cell_and_inputs() -> tuple[MinGRU, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return MinGRU(3, 4).double(), torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)


def test_the_equations() -> None:
    cell, x, h = cell_and_inputs()
    weights = mingru_from_layer(*(weight.detach().numpy() for weight in cell.weights()))
    expected = mingru.step(x.T.numpy(), h.T.numpy(), weights)
    torch.testing.assert_close(cell(x, MinGRUState(h))[0], torch.from_numpy(expected.T.copy()), atol=1e-12, rtol=0)


def test_a_closed_gate_keeps_the_state_and_an_open_one_takes_the_candidate() -> None:
    """z = 1 takes, where the z of a GRU keeps."""
    cell, x, h = cell_and_inputs()
    with torch.no_grad():
        cell.bias_ih[:4] = -1e3
        torch.testing.assert_close(cell(x, MinGRUState(h))[0], h)
        cell.bias_ih[:4] = 1e3
        torch.testing.assert_close(cell(x, MinGRUState(h))[0], x @ cell.weight_ih[4:].T + cell.bias_ih[4:])


def test_units_start_with_different_memories() -> None:
    cell = MinGRU(3, 9)
    kept = torch.sigmoid(-cell.bias_ih[:9]).detach()
    times = 1 / (1 - kept)
    torch.testing.assert_close(times[[0, -1]], torch.tensor([2.0, 128.0]), atol=1e-3, rtol=0)
    assert (times.diff() > 0).all()
    assert not cell.bias_ih[9:].any()
    assert first_memory(1).tolist() == [0.0]
