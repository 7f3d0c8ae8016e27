"""The network unrolled: the arrows of a few steps with the model's numbers on them, and equations that add up.

Axes: T steps, U units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.cells.cell import is_explained
from unrolled.cells.equations import names_in
from unrolled.errors import named
from unrolled.inspection.arithmetic import Arithmetic, arithmetic
from unrolled.inspection.names import in_words
from unrolled.page.document import Section
from unrolled.views.looked import ROW, Looked, names_of, steps_of
from unrolled.views.roll import channel_names

__all__ = ["unrolled"]

_TITLE = "The network unrolled"
_LONGEST = 2_000  # steps: it needs every number of each, some of them only as products of weights
_ALL = 8  # units of which every number is shown
_SOME = 4  # units whose equations are shown where there are more
_SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}  # as the page shows them where they are read
_GRAIN = 1 << 14  # numbers are kept to 1/16384: four digits are right, and the rest would only swell the page


def unrolled(looked: Looked) -> Iterator[Section]:
    """Five steps around the reader's, and the equation of a gate with its numbers."""
    if looked.network is None or not any(is_explained(part) for part in looked.network.modules()):
        return
    if looked.trace.steps > _LONGEST:
        yield Section(
            _TITLE, f"<p>It is drawn for at most {_LONGEST:,} steps: look at fewer with {named('steps')}.</p>"
        )
        return
    cells = [cell for cell in arithmetic(looked.network, looked.batch) if len(cell.values["x"]) == looked.trace.steps]
    if cells:
        data = {
            "tokens": steps_of(looked),
            "answers": _answers(looked),
            "cells": [_drawn(cell, looked.hidden) for cell in cells],
        }
        yield Section(_TITLE, view="unrolled", data=data, group=ROW)


def _drawn(cell: Arithmetic, hidden: bool) -> dict[str, Any]:
    values = {name: value.double().cpu().numpy() for name, value in cell.values.items()}  # squares fit
    x, states = values.pop("x"), [name.removesuffix("_before") for name in values if name.endswith("_before")]
    gates = [name for name in cell.equations if name not in states]
    units = _kept(values[states[0]])
    needed = {name for tree in cell.equations.values() for name in names_in(tree)} | {*gates, *states}
    norms = {name: np.linalg.norm(values[name], axis=1) for name in states}
    if not hidden:  # x of a column of numbers is those numbers
        norms["x"] = np.linalg.norm(x, axis=1)
    return {
        "name": in_words(f"{cell.path}.h").removesuffix(", hidden state"),
        "gates": gates,
        "states": states[::-1],  # the cell state above the hidden state, as textbooks draw them
        "units": units,
        "whole": len(units) == values[states[0]].shape[1],
        "values": {name: _short(value[:, units]) for name, value in values.items() if name in needed},
        "sizes": {name: _short(size) for name, size in norms.items()}
        | {name: _short(values[name].mean(1)) for name in gates},
        "inputs": _short(x) if x.shape[1] <= _ALL and not hidden else None,
        "equations": [{"name": name, "says": in_words(name), "tree": tree} for name, tree in cell.equations.items()],
    }


def _kept(state: np.ndarray) -> list[int]:
    """The numbers of all units, or of those few that vary most."""
    if state.shape[1] <= _ALL:
        return list(range(state.shape[1]))
    return sorted(np.argsort(-state.var(0), kind="stable")[:_SOME].tolist())


def _short(values: np.ndarray) -> np.ndarray:
    return np.round(values.astype(np.float64) * _GRAIN).astype(np.float32) / np.float32(_GRAIN)


def _answers(looked: Looked) -> Sequence[str | None]:
    """What the model says at each step, in a few characters; ``None`` where it says nothing."""
    outputs, steps = looked.trace.outputs, looked.trace.steps
    if not isinstance(outputs, Tensor):
        return [None] * steps
    lines = outputs.reshape(-1, outputs.shape[-1]).float()  # one answer a row is that of its last step
    if looked.task.mixing == "softmax":
        chances, ids = torch.softmax(lines, -1).max(-1)
        names = [looked.said(name) for name in names_of(looked.task.coder.answer, ids.numpy())]
        said = [f"{_SIGNS.get(name, name)} {chance:.2f}" for name, chance in zip(names, chances.tolist(), strict=True)]
    elif looked.task.mixing == "sigmoid":  # the likeliest of those that may come together
        chances, ids = torch.sigmoid(lines).max(-1)
        names = channel_names(looked.task.coder.answer, lines.shape[-1])
        said = [
            f"{looked.said(names[one])} {chance:.2f}"
            for one, chance in zip(ids.tolist(), chances.tolist(), strict=True)
        ]
    else:
        said = [" ".join(f"{value:.2f}" for value in line[:3]) for line in lines.tolist()]
    return [*(None,) * (steps - len(said)), *said] if len(said) in (1, steps) else [None] * steps
