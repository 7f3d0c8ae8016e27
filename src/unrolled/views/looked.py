"""A row that was looked at, and its steps and symbols in a reader's words.

Axes: T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unrolled.batch import Batch
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Text
from unrolled.inspection.trace import Trace
from unrolled.page.document import Section
from unrolled.tasks.task import Task

__all__ = ["ROW", "Looked", "View", "names_of", "steps_of"]

ROW = "row"  # the group of the sections that share the steps of the row
END, BEGIN = _ENDS = "<end>", "<begin>"  # as tasks write the ends of a row
_DIGITS = 4
_LONGEST = 24  # characters of a cell


@dataclass(frozen=True, slots=True)
class Looked:
    """A row, what the model computed on it, and where that row came from.

    Attributes:
        task: what the model is asked.
        trace: what the model computed on T steps of the row.
        start: the number of the first of these steps in the row, from 0.
        worst: of the steps with the highest losses, the highest first: (its number here, what came, what was expected).
        found: units that were found for a feature: (what to say, name of the value, unit).
        units: how many units of a value are kept where there are more.
        hidden: the words of the data are replaced by their classes, so that the page may be given away.
    """

    task: Task
    trace: Trace
    start: int = 0
    worst: Sequence[tuple[int, str, str]] = ()
    found: Sequence[tuple[str, str, int]] = ()
    units: int = 0
    hidden: bool = False
    made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # what views share

    @property
    def batch(self) -> Batch:
        """The row as the model read it."""
        assert self.trace.batch is not None
        return self.trace.batch

    def said(self, symbol: str) -> str:
        """A symbol as the page shows it: where words are hidden, a letter is x and a digit 0."""
        if not self.hidden or symbol in _ENDS:
            return symbol
        return "".join(
            "X" if one.isupper() else "x" if one.isalpha() else "0" if one.isdigit() else one for one in symbol
        )


View = Callable[[Looked], Iterator[Section]]  # the sections of one kind; none where the model or the data has nothing


def names_of(encoding: Encoding, ids: np.ndarray) -> list[str]:
    """Each id as a symbol, a word or a name; the ends of a row are ``<begin>`` and ``<end>``."""
    ends = {encoding.end: END, encoding.begin: BEGIN} if isinstance(encoding, Text) else {}
    known: dict[int, str] = {}
    for one in np.unique(ids).tolist():
        known[one] = ends[one] if one in ends else _word(encoding.decode(np.array([one])))
    return [known[one] for one in ids.tolist()]


def steps_of(looked: Looked) -> list[str]:
    """What the model reads at each of T steps, in a few characters: its columns with a dot between them."""
    steps, columns = looked.trace.steps, []
    for name, encoding in looked.task.coder.inputs.items():
        values = looked.batch.inputs.get(name)
        if values is None or values.dim() < 2 or values.shape[1] != steps:
            continue
        read = values[0].cpu().numpy()
        if read.ndim == 1 and read.dtype.kind in "iu":
            columns.append(names_of(encoding, read))
        else:
            columns.append([_word(encoding.decode(row[None])) for row in read.reshape(steps, -1)])
    cells = [looked.said(" · ".join(each)) for each in zip(*columns, strict=True)]
    return cells or [str(at) for at in range(1, steps + 1)]


def _word(value: Any) -> str:
    """A decoded value in a few characters."""
    while isinstance(value, list | tuple | np.ndarray) and len(value) == 1:
        value = value[0]
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, list | tuple | np.ndarray):
        cells = [_word(one) for one in value]
        value = " ".join(cells)
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
