"""The contracts of a cell as functions; the layers that run it over time must keep those of layers.

Axes: B rows, I inputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from unrolled.cells.cell import Cell
from unrolled.layers.recurrence.cell_stack import make_cells
from unrolled.layers.recurrent import Recurrent
from unrolled.state import State, flatten
from unrolled.testing.report import require
from unrolled.testing.subject import Subject, rows, same

__all__ = ["CONTRACTS", "layers_of"]

_B, _I, _H = 4, 3, 5


def layers_of(make: Callable[[int, int], Cell]) -> list[Subject]:
    """The layers in which a cell is tested: a single one, two, and one in both directions.

    Args:
        make: a member of ``cells/``: a class, or a function of (input_size, hidden_size).
    """
    return [
        Subject("one layer", lambda: Recurrent(_I, _H, make)),
        Subject("two layers", lambda: Recurrent(_I, _H, make, num_layers=2)),
        Subject("both directions", lambda: Recurrent(_I, _H, make, bidirectional=True)),
    ]


def sizes(make: Callable[[int, int], Cell]) -> None:
    """A cell made with (I, H) has these sizes, returns y (B, H), and a state of the form of the initial one."""
    [[cell]] = make_cells(_I, _H, make, num_layers=1, directions=1)
    y, before, after = _step(cell)
    forms = [{name: tuple(part.shape) for name, part in flatten(state)} for state in (before, after)]
    wrong = [name for name, shape in forms[0].items() if not shape or shape[0] != _B]
    require(not wrong, f"the batch is not axis 0 of {', '.join(wrong)}")
    require(y.shape == (_B, _H), f"y has shape {tuple(y.shape)}, expected {(_B, _H)}")
    require(forms[0] == forms[1], f"the state after a step has the form {forms[1]}, before it {forms[0]}")


def first_state(make: Callable[[int, int], Cell]) -> None:
    """The initial state has the dtype of the argument ``like``, and is the same in every row."""
    cell = make(_I, _H)
    for dtype in (torch.float32, torch.float64):
        for name, part in flatten(cell.initial_state(_B, torch.zeros((), dtype=dtype))):
            fits = part.dtype == dtype or not part.is_floating_point()
            require(fits, f"{name} is {part.dtype} for a like of {dtype}")
            require(bool((part == part[:1]).all()), f"{name} is not the same in every row")


def keeps_nothing(make: Callable[[int, int], Cell]) -> None:
    """A cell has no hidden memory: the same call returns the same again, and does not change its arguments."""
    cell = make(_I, _H)
    if isinstance(cell, torch.nn.Module):
        cell.eval()
    first, before, after = _step(cell)
    again, _, last = _step(cell)
    same({"y": again, **dict(flatten(last))}, {"y": first, **dict(flatten(after))}, 0)
    same(dict(flatten(before)), dict(flatten(cell.initial_state(_B, first))), 0)


def _step(cell: Cell) -> tuple[Tensor, State, State]:
    x = rows(cell, _B, 1)[:, 0]
    before = cell.initial_state(_B, x)
    with torch.no_grad():
        y, after = cell(x, before)
    return y, before, after


CONTRACTS: Sequence[Callable[[Callable[[int, int], Cell]], None]] = (sizes, first_state, keeps_nothing)
