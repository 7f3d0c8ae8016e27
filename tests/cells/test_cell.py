"""What all cells share, tested on every member: first weights, checks, and that nothing is kept."""

from __future__ import annotations

import pytest
import torch

from unrolled.cells.cell import CELLS, first_weights
from unrolled.errors import ShapeError, UsageError

NAMES = CELLS.names()


def test_the_cells_of_this_package_are_found_by_their_files() -> None:
    assert {"rnn", "irnn", "gru", "lstm", "mingru", "minlstm"} <= set(NAMES)
    assert "cell" not in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_pure(name: str) -> None:
    cell = CELLS.get(name)(3, 4)
    x, state = torch.randn(2, 3), cell.initial_state(2, torch.zeros(()))
    before = [part.clone() for part in state]
    first, again = cell(x, state), cell(x, state)
    assert torch.equal(first[0], again[0])
    assert all(torch.equal(part, other) for part, other in zip(state, before, strict=True))
    assert not list(cell.buffers())


@pytest.mark.parametrize("name", NAMES)
def test_a_state_follows_the_dtype_that_is_asked_for(name: str) -> None:
    state = CELLS.get(name)(3, 4).initial_state(5, torch.zeros((), dtype=torch.float64))
    assert all(part.shape == (5, 4) and part.dtype == torch.float64 and not part.any() for part in state)


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_is_named(name: str) -> None:
    cell = CELLS.get(name)(3, 4)
    state = cell.initial_state(2, torch.zeros(()))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 5\), expected \(B, I\) with I = 3"):
        cell(torch.zeros(2, 5), state)
    with pytest.raises(ShapeError, match=r"x is torch.float64 and the weights are torch.float32: convert one of them"):
        cell(torch.zeros(2, 3, dtype=torch.float64), state)
    with pytest.raises(ShapeError, match=r"state has shape \(1, 4\), expected \(2, 4\), one row per row of x"):
        cell(torch.zeros(2, 3), cell.initial_state(1, torch.zeros(())))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("sizes", "wrong"), [((0, 4), "input_size"), ((3, -1), "hidden_size")])
def test_a_size_below_one_is_refused(name: str, sizes: tuple[int, int], wrong: str) -> None:
    with pytest.raises(UsageError, match=rf"{wrong} must be at least 1, got {min(sizes)}"):
        CELLS.get(name)(*sizes)


def test_first_weights_are_orthogonal_gate_by_gate() -> None:
    weight_ih, weight_hh, bias_ih, bias_hh = first_weights(4, 3, 8)
    for gate in weight_hh.chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
    assert weight_ih.abs().max() <= (6 / (3 + 8)) ** 0.5
    assert not bias_ih.any()
    assert not bias_hh.any()
