"""What a cell's products and equations say of its step, found by asking the cell: exporters write it from that.

Axes: B rows, I inputs, H hidden units, D units of all parts of the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from unrolled.cells.equations import Tree, names_in, worked_out
from unrolled.errors import UsageError
from unrolled.state import leaves, planted

__all__ = ["linear_products", "names_of"]

_CLOSE = 1e-9  # how far float64 may round


def linear_products(exact: Any) -> tuple[dict[str, tuple[Tensor, Tensor]], dict[str, Tensor]]:
    """The products of a cell in float64 as maps of its input and state, found by asking it about unit vectors.

    Raises:
        UsageError: they are no such maps.
    """
    like = exact.initial_state(1, torch.zeros((), dtype=torch.float64))
    sizes = [part[0].numel() for part in leaves(like, like)]
    width, total = exact.input_size, sum(sizes)

    def asked(x: Tensor, s: Tensor) -> Mapping[str, Tensor]:
        shapes = [part.shape[1:] for part in leaves(like, like)]
        parts = [part.reshape(len(s), *shape) for part, shape in zip(torch.split(s, sizes, 1), shapes, strict=True)]
        found: Mapping[str, Tensor] = exact.products(x, planted(like, parts))
        return found

    with torch.no_grad():
        units = torch.eye(1 + width + total, dtype=torch.float64)[:, 1:]  # nothing, then one number at a time
        answers = asked(units[:, :width], units[:, width:])
        of_x = {name: ((one[1 : 1 + width] - one[0]), one[0]) for name, one in answers.items()}
        of_state = {name: one[1 + width :] - one[0] for name, one in answers.items()}
        of_state = {name: one for name, one in of_state.items() if one.abs().max() > 0}
        random = torch.randn(5, width + total, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        x, s = random[:, :width], random[:, width:]
        for name, one in asked(x, s).items():
            weight, bias = of_x[name]
            linear = x @ weight + bias + (s @ of_state[name] if name in of_state else 0)
            if not torch.allclose(one, linear, rtol=_CLOSE, atol=_CLOSE):
                raise UsageError(
                    f"the cell {type(exact).__name__} cannot be exported: its product {name!r} is not linear in its "
                    "input and state. Give it a method `graph`, and `write_step` for C"
                )
    return of_x, of_state


def names_of(exact: Any, trees: Mapping[str, Tree]) -> tuple[list[str], str]:
    """The name of each part of the state, and of the output.

    Raises:
        UsageError: no equation gives them.
    """
    random = torch.Generator().manual_seed(2)
    like = exact.initial_state(5, torch.zeros((), dtype=torch.float64))
    x = torch.randn(5, exact.input_size, dtype=torch.float64, generator=random)
    before = [torch.randn(part.shape, dtype=torch.float64, generator=random) for part in leaves(like, like)]
    state = planted(like, before)
    suffix = "_before"
    used = {name for tree in trees.values() for name in names_in(tree) if name.endswith(suffix)}
    names = list(getattr(like, "_fields", [name.removesuffix(suffix) for name in sorted(used)]))
    fine = len(names) == len(before) and {*names} <= {*trees}
    if fine:
        with torch.no_grad():
            values: dict[str, Tensor] = dict(exact.products(x, state))
            values |= {name + suffix: part for name, part in zip(names, before, strict=True)}
            for name, tree in trees.items():
                values[name] = worked_out(tree, values)
            y, after = exact(x, state)
        pairs = zip(names, leaves(like, after), strict=True)
        fine = all(torch.allclose(values[name], part, rtol=_CLOSE, atol=_CLOSE) for name, part in pairs)
        for name in trees:
            if fine and values[name].shape == y.shape and torch.allclose(values[name], y, rtol=_CLOSE, atol=_CLOSE):
                return names, name
    raise UsageError(
        f"the cell {type(exact).__name__} cannot be exported: its equations do not give its output and its state. "
        "Complete them, or give it a method `graph`, and `write_step` for C"
    )
