"""A cell's step as a program, from its equations and products as they are: a new cell needs no code for it.

Axes: I inputs, H hidden units, D units of all parts of the state.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from unrolled.cells._linear_products import linear_products, names_of
from unrolled.cells.cell import Cell, is_explained
from unrolled.cells.equations import names_in, parsed
from unrolled.errors import UsageError
from unrolled.program.instructions import Source, Vector
from unrolled.program.program import Program
from unrolled.state import leaves

__all__ = ["write_cell"]


def write_cell(cell: Cell, program: Program, name: str, x: Vector) -> Vector:
    """Write a step of ``cell`` that reads ``x`` (I,), and return its output (H,).

    A cell with its own ``write_step(program, name, x)`` writes it itself. For any other, its products are taken as
    linear maps of x and of each part of the state, and its equations as they stand.

    Args:
        cell: the cell.
        program: where to.
        name: what its parts are called, such as ``layer1``.
        x: what it reads.

    Raises:
        UsageError: it declares no equations, they do not give its step, or its products are not linear.
    """
    own: Any = getattr(cell, "write_step", None)
    if own is not None:
        written: Vector = own(program, name, x)
        return written
    if not is_explained(cell):
        raise UsageError(
            f"the cell {type(cell).__name__} does not declare its equations, so its step cannot be exported to C: give "
            "it `equations` and `products`, as docs/extending.md shows"
        )
    exact: Any = copy.deepcopy(cast(nn.Module, cell)).double().cpu()
    equations = dict(cell.equations)
    trees = {one: parsed(text) for one, text in equations.items()}
    states, y = names_of(exact, trees)
    used = {one for tree in trees.values() for one in names_in(tree)}
    like = exact.initial_state(1, torch.zeros((), dtype=torch.float64))
    first = {part: value[0].detach().numpy() for part, value in zip(states, leaves(like, like), strict=True)}
    parts = {part: program.state(f"{name}_{part}", len(value), value) for part, value in first.items()}
    maps = {product: found for product, found in _weights(exact, {"x": x, **parts}).items() if product in used}
    values, sums = _sources(program, name, maps, {"x": x, **parts})
    values |= {f"{part}_before": parts[part] for part in parts}
    # Another unit reads these before the step is over.
    read = {of for _, weights in maps.values() for of in weights if of in parts}
    later = {part: program.local(f"{name}_{part}_next", parts[part].size) for part in parts if part in read}
    into = {y: program.local(f"{name}_{y}", cell.hidden_size), **parts, **later}
    program.each({**sums, **equations}, values, into, cell.hidden_size)
    for part, vector in later.items():
        program.copy(parts[part], vector)
    return parts.get(y) or into[y]


def _weights(exact: Any, read: Mapping[str, Vector]) -> dict[str, tuple[Tensor, dict[str, Tensor]]]:
    """Each product as its bias (H,), and the weights (H, N) of each thing that it reads, without those that are 0."""
    of_x, of_state = linear_products(exact)
    found = {}
    for product, (weight, bias) in of_x.items():
        every = torch.cat([weight, of_state[product]]) if product in of_state else weight  # (I + D, H)
        sizes = [vector.size for vector in read.values()][: len(read) if product in of_state else 1]
        named = zip(read, torch.split(every.T, sizes, 1), strict=False)
        found[product] = bias, {of: part for of, part in named if bool(part.any())}
    return found


def _sources(
    program: Program,
    name: str,
    maps: Mapping[str, tuple[Tensor, Mapping[str, Tensor]]],
    read: Mapping[str, Vector],
) -> tuple[dict[str, Source], dict[str, str]]:
    """Where each product comes from; and for a product of several things, the equation of their sum."""
    values: dict[str, Source] = {}
    sums: dict[str, str] = {}
    for product, (bias, weights) in maps.items():
        terms = list(weights.items())
        if len(terms) < 2:
            of, weight = terms[0] if terms else ("x", None)
            values[product] = program.dot(f"{name}_{product}", weight, bias, read[of])
            continue
        for place, (of, weight) in enumerate(terms):
            own = f"{product}_of_{of}"
            values[own] = program.dot(f"{name}_{own}", weight, bias if place == 0 else None, read[of])
        sums[product] = " + ".join(f"{product}_of_{of}" for of, _ in terms)
    return values, sums
