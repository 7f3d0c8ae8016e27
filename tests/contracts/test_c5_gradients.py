"""C5: gradients are right: float64 gradcheck for every model; for every cell, the hand-written BPTT of reference/."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from contracts.equations import EQUATIONS, Ends
from contracts.members import CELL_NAMES, INPUTS, MEMBERS
from samples import ours
from torch import Tensor

from unrolled.cells.cell import CELLS
from unrolled.layers.recurrent import Recurrent
from unrolled.testing import layers
from unrolled.testing.subject import Subject, rows

Array = np.ndarray
T, H = 6, 4
LENGTHS = torch.tensor([6, 2, 0, 4])


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_gradcheck(member: Subject) -> None:
    layers.gradient(member)


def test_every_cell_of_ours_has_its_equations_in_reference() -> None:
    assert set(EQUATIONS) == ours("cell"), (
        "write the equations of the new cell in reference/, and name them in equations.py"
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", CELL_NAMES)
def test_equal_to_the_textbook(name: str, number: int, directions: int, dtype: torch.dtype, tolerance: float) -> None:
    """Outputs, final states and every gradient, row by row: the textbook knows no padding."""
    if name not in EQUATIONS:
        pytest.skip(f"{CELLS.package_of(name)} adds the cell {name}, and reference/ has no equations of it")
    torch.manual_seed(3)
    layer = Recurrent(INPUTS, H, name, number, bidirectional=directions == 2).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(0.6 * torch.randn(parameter.shape))
    x = rows(layer, len(LENGTHS), T, dtype=dtype).requires_grad_()
    y, state = layer(x, LENGTHS)
    ends = [tuple(cell) for cells in state for cell in (cells if directions == 2 else [cells])]
    toward_y = torch.randn(y.shape, dtype=dtype)
    toward_ends = [tuple(torch.randn(part.shape, dtype=dtype) for part in parts) for parts in ends]
    loss = (y * toward_y).sum()
    for parts, weights in zip(ends, toward_ends, strict=True):
        loss = loss + sum((part * weight).sum() for part, weight in zip(parts, weights, strict=True))
    (dx, *dweights) = torch.autograd.grad(loss, [x, *layer.parameters()])

    stack = [[[_double(w) for w in cell.weights()] for cell in cells] for cells in layer.layers]
    expected = [np.zeros(w.shape) for w in layer.parameters()]
    for row, length in enumerate(LENGTHS.tolist()):
        toward = [tuple(_double(part[row]) for part in parts) for parts in toward_ends]
        found = _textbook(name, stack, _double(x[row, :length]), _double(toward_y[row, :length]), toward)
        _close(y[row, :length], found.y, tolerance)
        _close(dx[row, :length], found.dx, tolerance)
        for mine, textbook in zip(ends, found.ends, strict=True):
            for part, other in zip(mine, textbook, strict=True):
                _close(part[row], other, tolerance)
        for total, gradient in zip(expected, found.dweights, strict=True):
            total += gradient
    for mine, total in zip(dweights, expected, strict=True):
        _close(mine, total, tolerance)


class _Found(NamedTuple):
    y: Array
    ends: list[Ends]
    dx: Array
    dweights: list[Array]


def _textbook(name: str, stack: list[list[list[Array]]], x: Array, dy: Array, dends: list[Ends]) -> _Found:
    """One row (T, I) through every layer and direction, and back."""
    run, runs, inputs = EQUATIONS[name], [], [x]
    directions = len(stack[0])
    for cells in stack:
        outputs = []
        for d, weights in enumerate(cells):
            passed = run(inputs[-1][:: -1 if d else 1], weights)
            runs.append(passed)
            outputs.append(passed.y[:: -1 if d else 1])
        inputs.append(np.concatenate(outputs, axis=1))
    dweights: list[list[Array]] = []
    for k in reversed(range(len(stack))):
        dx, at_this_layer = np.zeros_like(inputs[k]), []
        for d in range(directions):
            half = dy[:, d * H : (d + 1) * H][:: -1 if d else 1]
            dx_d, dw = runs[k * directions + d].back(half, dends[k * directions + d])
            dx += dx_d[:: -1 if d else 1]
            at_this_layer += dw
        dweights.insert(0, at_this_layer)
        dy = dx
    return _Found(inputs[-1], [passed.ends for passed in runs], dy, [w for layer in dweights for w in layer])


def _double(tensor: Tensor) -> Array:
    return tensor.detach().double().numpy()


def _close(found: Tensor, expected: Any, tolerance: float) -> None:
    expected = np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(_double(found), expected, rtol=0, atol=tolerance * scale)
