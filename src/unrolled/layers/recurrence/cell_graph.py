"""A cell over time as operators: the operator that it equals, or a loop over its own step.

Axes: B rows, T steps, I inputs, H hidden units, D units of all parts of the state.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.cells._linear_products import linear_products, names_of
from unrolled.cells.cell import Cell, ExplainedCell, WrittenCell, is_drawn, is_explained, is_written
from unrolled.cells.equations import Tree, names_in, parsed, worked_out
from unrolled.errors import UsageError
from unrolled.layers.graph import Value, concat, is_real, where, zeroed
from unrolled.state import State, leaves, planted

__all__ = ["cell_over_time"]

_FUNCTIONS: dict[str, Callable[..., Value]] = {
    **{name: partial(Value.apply, function=name.capitalize()) for name in ("sigmoid", "tanh", "relu", "exp")},
    "maximum": lambda a, b: a.graph.op("Max", a, b),
}
# In float64 a gate near 0 stays above it; the operator takes it from 1, and gives 0.
_EXACT: dict[str, Callable[..., Value]] = {**_FUNCTIONS, "sigmoid": lambda x: 1.0 / ((-x).apply("Exp") + 1.0)}


def cell_over_time(cell: Cell, x: Value, lengths: Value, before: Any, *, reverse: bool = False) -> tuple[Value, Any]:
    """``cell`` over whole rows, or over the next chunk of each.

    Args:
        cell: it equals an operator, writes its own step, or declares equations.
        x: (B, T, I).
        lengths: (B,) int64.
        before: a tree of values, the state before; ``None``: the first.
        reverse: from each row's last real step to its first.

    Returns:
        (B, T, H), 0 beyond each row's length, and the state after each row's last step.

    Raises:
        UsageError: the cell is none of these.
    """
    like = cell.initial_state(1, next(cast(nn.Module, cell).parameters(), torch.empty(0)))
    first = leaves(like, like)
    if before is None:
        state = [x.graph.constant(part).expand(x.size(0), *part.shape[1:]) for part in first]
    else:
        state = leaves(like, before)
    if is_written(cell):
        y, after = _by_operator(cell, x, lengths, state, reverse)
    else:
        y, after = _by_step(cell, x, lengths, like, state, reverse)
    return zeroed(y, lengths), planted(like, after)


def _by_operator(
    cell: WrittenCell, x: Value, lengths: Value, state: list[Value], reverse: bool
) -> tuple[Value, list[Value]]:
    g, operator, every = x.graph, cell.operator, cell.weights()
    order = [cell.gates.index(gate) for gate in operator.gates]

    def ordered(weight: Tensor) -> Tensor:
        parts = weight.detach().float().cpu().chunk(len(order))
        return torch.cat([parts[at] for at in order])

    of_x, of_h, bias_x, bias_h = map(ordered, every)
    attributes: dict[str, Any] = {**operator.attributes, "hidden_size": cell.hidden_size}
    attributes["direction"] = "reverse" if reverse else "forward"
    if operator.activations:
        attributes["activations"] = list(operator.activations)
    y, *after = g.ops(
        operator.name,
        x.transpose(1, 0, 2),
        *(g.constant(weight[None]) for weight in (of_x, of_h, torch.cat([bias_x, bias_h]))),
        # Older runtimes refuse rows of no steps, and newer ones set their state to 0: such rows run one step, which is
        # then put aside.
        g.op("Max", lengths, 1).to(np.int32),
        *(part.unsqueeze(0) for part in state),
        outputs=1 + len(state),
        **attributes,
    )
    some = (lengths > 0).unsqueeze(1)
    kept = [where(some, last.squeeze(0), first) for last, first in zip(after, state, strict=True)]
    return y.squeeze(1).transpose(1, 0, 2), kept


def _by_step(
    cell: Cell, x: Value, lengths: Value, like: State, state: list[Value], reverse: bool
) -> tuple[Value, list[Value]]:
    real = is_real(x, lengths)
    if is_drawn(cell):
        read, steps = [x], 1
    elif is_explained(cell):
        told = _Told.of(cell)
        read = told.read(x)
        steps = len(read)
    else:
        raise UsageError(
            f"the cell {type(cell).__name__} cannot be exported: it has no equations. Declare its `equations` and "
            "`products`, as docs/extending.md shows, or give it a method `graph`"
        )

    def body(before: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
        *now, here = now
        if is_drawn(cell):
            y, after = cell.graph(now[0], planted(like, before))
            new = leaves(like, after)
        else:
            y, new = told.step(now[:steps], before)
        here = here.unsqueeze(1)
        return [where(here, one, old) for one, old in zip(new, before, strict=True)], [y]

    after, (y,) = x.graph.scan(state, [*read, real], body, reverse=reverse)
    return y, after


@dataclass(frozen=True, slots=True)
class _Told:
    """The step of a cell as its equations give it.

    Attributes:
        early: name -> equation, of those that the input alone decides, which are computed for all steps at once.
        late: the others, in order.
        of_x: name of a product -> (I, H) and (H,): what the input gives it, and its bias.
        of_state: name of a product that the state decides too -> (D, H), the parts of the state side by side.
        passed: the names that ``late`` needs of those that are computed early.
        states: the name of each part of the state.
        y: the name of the output.
    """

    early: dict[str, Tree]
    late: dict[str, Tree]
    of_x: dict[str, tuple[Tensor, Tensor]]
    of_state: dict[str, Tensor]
    passed: list[str]
    states: list[str]
    y: str

    @classmethod
    def of(cls, cell: ExplainedCell) -> _Told:
        """What the equations of ``cell`` say.

        Raises:
            UsageError: they do not give its step.
        """
        exact: Any = copy.deepcopy(cast(nn.Module, cell)).double().cpu()
        trees = {name: parsed(one) for name, one in cell.equations.items()}
        states, y = names_of(exact, trees)
        of_x, of_state = linear_products(exact)
        known, early = {name for name in of_x if name not in of_state}, dict[str, Tree]()
        for name, tree in trees.items():
            if known.issuperset(names_in(tree)):
                early[name] = tree
                known.add(name)
        late = {name: tree for name, tree in trees.items() if name not in early}
        needed = {name for tree in late.values() for name in names_in(tree)} | {y} | {*of_state}
        passed = [name for name in (*of_x, *early) if name in needed]
        return cls(early, late, of_x, of_state, passed, states, y)

    def read(self, x: Value) -> list[Value]:
        """(B, T, H): what a step reads of the input ``x`` (B, T, I), in the order of ``passed``."""
        g, weights = x.graph, list(self.of_x.values())
        every = x @ g.constant(torch.cat([weight for weight, _ in weights], 1).float())
        every = every + g.constant(torch.cat([bias for _, bias in weights]).float())
        parts = every.split([len(bias) for _, bias in weights])
        values = dict(zip(self.of_x, parts, strict=True))
        return _computed(self.early, values, self.passed)

    def step(self, now: list[Value], before: list[Value]) -> tuple[Value, list[Value]]:
        """One step: what `read` gave for it, and the state before -> the output and the state after."""
        values = dict(zip(self.passed, now, strict=True))
        values |= {f"{name}_before": one for name, one in zip(self.states, before, strict=True)}
        if self.of_state:
            g = before[0].graph
            weight = torch.cat(list(self.of_state.values()), 1).float()
            every = concat(before, -1) @ g.constant(weight)
            parts = every.split([one.shape[1] for one in self.of_state.values()])
            for name, part in zip(self.of_state, parts, strict=True):
                values[name] = values[name] + part
        y, *after = _computed(self.late, values, [self.y, *self.states])
        return y, after


def _computed(trees: Mapping[str, Tree], values: dict[str, Value], wanted: list[str]) -> list[Value]:
    """The ``wanted`` values, once every tree is worked out."""
    for name, tree in trees.items():
        if not _divides(tree):
            values[name] = worked_out(tree, values, _FUNCTIONS)
            continue
        # The quotient of two gates near 0 is only right in float64, where they do not become 0.
        exact = {one: values[one].to(np.float64) for one in names_in(tree)}
        values[name] = worked_out(tree, exact, _EXACT).to(np.float32)
    return [values[name] for name in wanted]


def _divides(tree: Tree) -> bool:
    return isinstance(tree, list) and (tree[0] == "/" or any(map(_divides, tree[1:])))
