"""The gates and states of a row: over its symbols, at one step, and all units over time.

Axes: T steps, U units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from unrolled.data.encodings.facets import Text
from unrolled.errors import counted
from unrolled.page.document import Grid, Section
from unrolled.views.looked import ROW, WRITTEN, Looked, gap_of, of_answer, steps_of, written_of

__all__ = ["answer", "at_this_step", "maps", "row"]

_LONG, _FINE, _COARSE = 20_000, 255, 49  # steps beyond which colours are coarser, so that the file stays small
_BETWEEN = ("i", "f", "o", "r", "z")  # gates: from 0 to 1


def row(looked: Looked) -> Iterator[Section]:
    """The row, with the value of a unit on each symbol."""
    quantities = _quantities(looked)
    kept = {one["name"]: {unit: column for column, unit in enumerate(one["units"])} for one in quantities}
    called = {name: _called(name, path) for name, path in looked.trace.names.items()}
    found = [
        {"says": says, "quantity": called[name], "unit": kept[called[name]][unit]}
        for says, name, unit in looked.found
        if unit in kept.get(called.get(name, ""), {})
    ]
    unseen = _unseen(looked)
    words = {"tokens": steps_of(looked), "gap": gap_of(looked), "unseen": unseen}
    data = {**words, "quantities": quantities, "found": found}
    many = counted(len(unseen), "step holds a symbol that was", "steps hold symbols that were")
    said = f"<p>{many} not seen in training, and underlined here.</p>" if unseen else ""
    yield Section("One unit over the row" if quantities else "The row", said, "text", data, ROW)


def _unseen(looked: Looked) -> list[int]:
    """The steps at which a text has a symbol that the model never saw."""
    unseen = np.zeros(looked.trace.steps, bool)
    for name, encoding in looked.task.coder.inputs.items():
        ids = looked.batch.inputs.get(name)
        if isinstance(encoding, Text) and ids is not None and ids.shape[1:] == unseen.shape:
            unseen |= np.isin(ids[0].cpu().numpy(), [one for one in encoding.never if one != encoding.begin])
    return np.flatnonzero(unseen).tolist()


def at_this_step(looked: Looked) -> Iterator[Section]:
    """Every gate and state at the step that the reader is at."""
    if quantities := _quantities(looked):
        title = "Gates and states at this step"
        yield Section(title, view="gates", data={"quantities": quantities}, group=ROW, wide=False)


def maps(looked: Looked) -> Iterator[Section]:
    """All units over time."""
    if quantities := _quantities(looked):
        yield Section("All units over time", view="units", data={"quantities": quantities}, group=ROW, folded=True)


def answer(looked: Looked) -> Iterator[Section]:
    """The answer that is written, symbol by symbol, with the gates and states of the decoder."""
    tokens = written_of(looked)
    if tokens and (found := list(_made(looked, len(tokens), of_the_answer=True))):
        data = {"tokens": tokens, "gap": " ", "quantities": found}
        yield Section("One unit over the answer", view="text", data=data, group=WRITTEN, folded=True)


def _quantities(looked: Looked) -> list[dict[str, Any]]:
    """Each traced value of one number for each unit, with the numbers of the units that are kept; made once."""
    if "quantities" not in looked.made:
        looked.made["quantities"] = list(_made(looked, looked.trace.steps))
    return looked.made["quantities"]


def _called(name: str, path: str) -> str:
    return f"{name} (tanh)" if path.endswith(".c") else name


def _made(looked: Looked, steps: int, *, of_the_answer: bool = False) -> Iterator[dict[str, Any]]:
    first = {state.rpartition(", ")[0]: units for state, units in looked.first.items()}  # of a layer's gates too
    for name, path in looked.trace.names.items():
        value, symbol = looked.trace.values[path], path.rpartition(".")[2]
        if value.dim() != 2 or len(value) != steps or symbol == "attention" or of_answer(looked, path) != of_the_answer:
            continue
        # A cell state has no bound: as tanh(c), which is what the cell lets out, it has the colours of a state.
        seen = (torch.tanh(value) if symbol == "c" else value).float().numpy()
        units = _kept(seen, looked.units, first.get(name.rpartition(", ")[0], ()))
        gate = symbol in _BETWEEN
        low, high = (0.0, 1.0) if gate else (-1.0, 1.0) if np.nanmax(np.abs(seen), initial=0) <= 1 else (None, None)
        yield {
            "name": _called(name, path),
            "grid": Grid(seen[:, units], low, high, _FINE if len(seen) <= _LONG else _COARSE),
            "units": units,
            "gate": gate,
        }


def _kept(values: np.ndarray, most: int, first: Sequence[int]) -> list[int]:
    """The numbers of ``first``, then of the units that vary most, in their order; all where there are no more."""
    if not most or values.shape[1] <= most:
        return list(range(values.shape[1]))
    varied = np.argsort(-values.var(0), kind="stable").tolist()
    return sorted(list(dict.fromkeys([*(unit for unit in first if unit < values.shape[1]), *varied]))[:most])
