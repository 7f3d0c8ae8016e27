"""Make the cells of a recurrent layer from a name, a class, a cell, or a list of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from torch import nn

from unrolled.cells.cell import CELLS, Cell
from unrolled.config import default_options, made
from unrolled.errors import UsageError

__all__ = ["AnyCell", "make_cells"]

AnyCell = str | Cell | Callable[[int, int], Cell]
_WHAT = "a cell is a torch.nn.Module with input_size, hidden_size, forward(x, state) and initial_state(batch, like)"


def make_cells(
    input_size: int,
    hidden_size: int,
    cell: AnyCell | Sequence[AnyCell],
    num_layers: int,
    directions: int,
    merged: bool = False,
) -> list[list[Cell]]:
    """The cells of each layer, one for each direction.

    Args:
        input_size: the input size of the first layer.
        hidden_size: the hidden size of every new cell, and of the last layer.
        cell: the name of a registered cell; a class or any function of (input_size, hidden_size), which gets the
            defaults of the options that it declares; a cell, which makes one layer in one direction; or a list with one
            of these for each layer.
        num_layers: ≥ 1; leave it at 1 for a list.
        directions: 1 or 2.
        merged: the outputs of both directions are merged into one of the same width, not set side by side.

    Raises:
        UsageError: an unknown name, something that is not a cell, or cells whose sizes do not fit together.

    Example:
        >>> from unrolled.cells.gru import GRU
        >>> [[first], [second]] = make_cells(3, 8, [GRU(3, 16), "lstm"], 1, 1)
        >>> second
        LSTM(16, 8)
    """
    each = _one_a_layer(cell, num_layers)
    stack: list[list[Cell]] = []
    width = input_size
    for number, given in enumerate(each, 1):
        stack.append(_cells(given, width, hidden_size, directions))
        for one in stack[-1]:
            _check(one, f"layer {number}", width, hidden_size if number == len(each) else None)
        width = stack[-1][0].hidden_size * (1 if merged else directions)
    return stack


def _one_a_layer(cell: AnyCell | Sequence[AnyCell], num_layers: int) -> Sequence[AnyCell]:
    if isinstance(cell, list | tuple):
        if not cell or num_layers not in (1, len(cell)):
            raise UsageError(f"cell is a list of {len(cell)} cells, one for each layer, but num_layers is {num_layers}")
        return cell
    if isinstance(cell, nn.Module) and num_layers > 1:
        raise UsageError(
            f"cell is a single {type(cell).__name__}, but num_layers is {num_layers}: give its class, or a list"
        )
    return [cast(AnyCell, cell)] * num_layers


def _cells(given: AnyCell, input_size: int, hidden_size: int, directions: int) -> list[Cell]:
    if isinstance(given, nn.Module):
        if directions > 1:
            raise UsageError(
                f"cell is a single {type(given).__name__}, which reads in one direction: for both, give its class"
            )
        return [cast(Cell, given)]
    if not (isinstance(given, str) or callable(given)):
        raise UsageError(f"cell must be a name, a class, a cell or a list of them, got {given!r}")
    make = CELLS.get(given) if isinstance(given, str) else given
    return [made(make, input_size, hidden_size, options=default_options(make)) for _ in range(directions)]


def _check(cell: Any, place: str, input_size: int, hidden_size: int | None) -> None:
    name = type(cell).__name__
    missing = [part for part in ("input_size", "hidden_size", "initial_state") if not hasattr(cell, part)]
    if missing or not isinstance(cell, nn.Module):
        raise UsageError(f"{place}: {name} has no {missing[0]}; {_WHAT}" if missing else f"{place}: {name}: {_WHAT}")
    if cell.input_size != input_size:
        raise UsageError(f"{place}: {name} has input_size {cell.input_size}, expected {input_size}")
    if hidden_size is not None and cell.hidden_size != hidden_size:
        raise UsageError(f"{place}: {name} has hidden_size {cell.hidden_size}, expected {hidden_size}")
