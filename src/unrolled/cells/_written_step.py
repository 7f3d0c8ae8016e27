"""A cell's step as a program, from its equations and products as they are: a new cell needs no code for it.

Axes: B rows, I inputs, H hidden units.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.cells.cell import Cell, ExplainedCell, is_explained
from unrolled.errors import UsageError
from unrolled.program.instructions import Source, Vector
from unrolled.program.program import Program

__all__ = ["write_cell"]

_CLOSE = 1e-9  # of a linear map and what it was found from, in float64


def write_cell(cell: Cell, program: Program, name: str, x: Vector) -> Vector:
    """Write a step of ``cell`` that reads ``x`` (I,), and return its output (H,).

    A cell with its own ``write_step(program, name, x)`` writes it itself. For any other, its products are taken as
    linear maps of x and of each part of the state, found by asking for those of unit vectors, and its equations as they
    stand.

    Args:
        cell: the cell.
        program: where to.
        name: what its parts are called, such as ``layer1``.
        x: what it reads.

    Raises:
        UsageError: it declares no equations, they leave out a part of the state, or its products are not linear.
    """
    own: Any = getattr(cell, "write_step", None)
    if own is not None:
        written: Vector = own(program, name, x)
        return written
    title = type(cell).__name__
    if not is_explained(cell):
        raise UsageError(
            f"the cell {title} does not declare its equations, so its step cannot be exported to C: give it "
            "'equations' and 'products', as docs/extending.md shows"
        )
    equations = dict(cell.equations)
    first = _parts(cell.initial_state(1, torch.zeros(())), title)
    if missing := [part for part in first if part not in equations]:
        raise UsageError(f"the equations of the cell {title} do not give {missing[0]!r}, so it cannot be exported to C")
    size = cell.hidden_size
    parts = {part: program.state(f"{name}_{part}", size, value[0].detach().numpy()) for part, value in first.items()}
    used = {word for equation in equations.values() for word in re.findall(r"[A-Za-z_]\w*", equation)}
    maps = {product: found for product, found in _linear_maps(cell, title).items() if product in used}
    values, equations = _sources(program, name, equations, maps, {"x": x, **parts})
    values |= {f"{part}_before": parts[part] for part in parts if f"{part}_before" in used}
    # Another unit reads these before the step is over.
    read = {part for found in maps.values() for part in found.weights if part in parts}
    later = {part: program.local(f"{name}_{part}_next", parts[part].size) for part in parts if part in read}
    program.each(equations, values, {**parts, **later}, size)
    for part, vector in later.items():
        program.copy(parts[part], vector)
    return parts["h"] if "h" in parts else next(iter(parts.values()))


@dataclass(frozen=True, slots=True)
class _Linear:
    """A product: its bias (H,), and the weights (H, N) of each thing that it reads."""

    bias: Tensor
    weights: Mapping[str, Tensor]


def _sources(
    program: Program,
    name: str,
    equations: dict[str, str],
    maps: Mapping[str, _Linear],
    read: Mapping[str, Vector],
) -> tuple[dict[str, Source], dict[str, str]]:
    """Where each product comes from, and the equations, with a sum in front for a product of several things."""
    values: dict[str, Source] = {}
    sums: dict[str, str] = {}
    for product, found in maps.items():
        terms = list(found.weights.items())
        if len(terms) < 2:
            of, weight = terms[0] if terms else ("x", None)
            values[product] = program.dot(f"{name}_{product}", weight, found.bias, read[of])
            continue
        for place, (of, weight) in enumerate(terms):
            bias = found.bias if place == 0 else None
            values[f"{product}_of_{of}"] = program.dot(f"{name}_{product}_of_{of}", weight, bias, read[of])
        sums[product] = " + ".join(f"{product}_of_{of}" for of, _ in terms)
    return values, {**sums, **equations}


def _parts(state: Any, title: str) -> dict[str, Tensor]:
    if isinstance(state, Tensor):
        return {"h": state}
    if not hasattr(state, "_asdict") or not all(isinstance(part, Tensor) and part.dim() == 2 for part in state):
        raise UsageError(
            f"the state of the cell {title} is not one tensor or a named tuple of them, so it cannot be exported to C"
        )
    found: dict[str, Tensor] = state._asdict()
    return found


def _linear_maps(cell: ExplainedCell, title: str) -> dict[str, _Linear]:
    """Each product as a linear map, without the weights that are 0."""
    exact: Any = copy.deepcopy(cell).double() if isinstance(cell, nn.Module) else cell
    zero = exact.initial_state(1, torch.zeros((), dtype=torch.float64))
    sizes = {"x": cell.input_size} | {part: value.shape[1] for part, value in _parts(zero, title).items()}

    def products(rows: Tensor) -> Mapping[str, Tensor]:
        x, *parts = torch.split(rows, list(sizes.values()), 1)
        state = parts[0] if isinstance(zero, Tensor) else type(zero)(*parts)
        with torch.no_grad():
            found: Mapping[str, Tensor] = exact.products(x, state)
        return found

    width = sum(sizes.values())
    units = products(torch.cat([torch.zeros(1, width, dtype=torch.float64), torch.eye(width, dtype=torch.float64)]))
    tried = torch.linspace(-1, 1, width, dtype=torch.float64).sin()[None] * 3
    maps = {}
    for product, right in products(tried).items():
        bias = units[product][0]
        weight = (units[product][1:] - bias).T  # (H, I + the state)
        if not torch.allclose(weight @ tried[0] + bias, right[0], _CLOSE, _CLOSE):
            raise UsageError(
                f"the product {product!r} of the cell {title} is not linear in its input and state, so its step cannot "
                "be derived from its equations: give the cell a method write_step"
            )
        named = zip(sizes, torch.split(weight, list(sizes.values()), 1), strict=True)
        maps[product] = _Linear(bias, {of: part for of, part in named if bool(part.any())})
    return maps
