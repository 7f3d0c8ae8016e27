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

__all__ = ["END", "ROW", "Looked", "View", "names_of", "steps_of"]

ROW = "row"  # the group of the sections that share the steps of the row
END = "<end>"  # as tasks write the end of a row
_DIGITS = 4
_LONGEST = 24  # characters of a cell


@dataclass(frozen=True, slots=True)
class Looked:
    """A row, what the model computed on it, and where that row came from.

    Attributes:
        task: what the model is asked.
        trace, batch: the row as the model read it, one row of T steps.
        start: the number of the first of these steps in the row, from 0.
        worst: the numbers of the steps with the highest losses among them, the highest first.
        found: units that were found for a feature: (what to say, name of the value, unit).
        units: how many units of a value are kept where there are more.
        hidden: the words of the data are replaced by their classes, so that the page may be given away.
    """

    task: Task
    trace: Trace
    batch: Batch
    start: int = 0
    worst: Sequence[int] = ()
    found: Sequence[tuple[str, str, int]] = ()
    units: int = 0
    hidden: bool = False
    made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # what views share


View = Callable[[Looked], Iterator[Section]]  # the sections of one kind; none where the model or the data has nothing


def names_of(encoding: Encoding, ids: np.ndarray) -> list[str]:
    """Each id as a symbol, a word or a name; the ends of a row are ``<begin>`` and ``<end>``."""
    ends = {encoding.end: END, encoding.begin: "<begin>"} if isinstance(encoding, Text) else {}
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
            found = names_of(encoding, read)
            columns.append([_class(one) for one in found] if looked.hidden else found)
        else:
            columns.append([_word(encoding.decode(row[None])) for row in read.reshape(steps, -1)])
    return [" · ".join(cells) for cells in zip(*columns, strict=True)] or [str(at) for at in range(1, steps + 1)]


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


def _class(symbol: str) -> str:
    """The kind of a symbol in place of it: a letter is x, a digit 0; blanks and signs stay."""
    return "".join("X" if one.isupper() else "x" if one.isalpha() else "0" if one.isdigit() else one for one in symbol)
