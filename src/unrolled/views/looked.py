"""A row that was looked at, and its steps and symbols in a reader's words.

Axes: T steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unrolled.batch import Batch
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Numbers, Text
from unrolled.inspection.heads import Heads
from unrolled.inspection.prefixes import Prefixes
from unrolled.inspection.trace import Trace
from unrolled.models.model import Model
from unrolled.page.document import Section
from unrolled.tasks.task import Task

__all__ = [
    "NARROW",
    "ROW",
    "WRITTEN",
    "Looked",
    "View",
    "gap_of",
    "names_of",
    "of_answer",
    "steps_of",
    "width_of",
    "written_of",
]

ROW, WRITTEN = "row", "written"  # the groups of the sections that share the steps of the row, and of the answer
END, BEGIN = _ENDS = "<end>", "<begin>"  # as tasks write the ends of a row
_DIGITS, _ROUNDING = 4, 1e-6
_MISSING = "no value"
_LONGEST = 24  # characters of a cell
NARROW = 2  # numbers of a step that are read as words


@dataclass(frozen=True, slots=True)
class Looked:
    """A row, what the model computed on it, and where that row came from.

    Attributes:
        task: what the model is asked.
        trace: what the model computed on T steps of the row.
        start: the number of the first of these steps in the row, from 0.
        found: units that were found for a feature: (what to say, name of the value, unit).
        units: how many units of a value are kept where there are more.
        network: the model, for what is computed again; ``None``: what needs that is left out.
        first: a layer's state in words -> its units in the order in which they are kept; others follow as they vary.
        hidden: the words of the data are replaced by their classes, so that the page may be given away.
        prefixes: the beginnings of the whole row, where it is known what the model answers after them.
        heads: what the loss of this row, and of others like it, is when a head of attention is made uniform.
    """

    task: Task
    trace: Trace
    start: int = 0
    found: Sequence[tuple[str, str, int]] = ()
    units: int = 0
    network: Model | None = None
    first: Mapping[str, Sequence[int]] = field(default_factory=dict)
    hidden: bool = False
    prefixes: Prefixes | None = None
    heads: Heads | None = None
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

    def names(self, encoding: Encoding, ids: np.ndarray) -> list[str]:
        """Each id as the page shows it: `names_of`, as they are `said`."""
        return [self.said(one) for one in names_of(encoding, ids)]


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
            continue
        if looked.batch.scale is not None and name == looked.task.coder.target:
            read = _as_measured(read, looked.batch.scale[0].cpu().numpy())
        if width_of(encoding, read) <= NARROW:  # wider ones are drawn as a picture
            # What the encoding scales comes back with a rounding error, which would make 4e-8 of a 0.
            tiny = _ROUNDING * float(np.max(encoding.std)) if isinstance(encoding, Numbers) else 0.0
            columns.append([_word(encoding.decode(row[None]), tiny) for row in read.reshape(steps, -1)])
    cells = [looked.said(" · ".join(each)) for each in zip(*columns, strict=True)]
    return cells or [str(looked.start + at) for at in range(steps)]


def _as_measured(read: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(T, W) numbers that a window has on its own scale (2, C), on that of the training data."""
    mean, deviation = scale
    values = read[:, : len(mean)] * deviation + mean
    return np.concatenate([values, read[:, len(mean) :]], 1)


def written_of(looked: Looked) -> list[str]:
    """The symbols of the answer as they are written one by one, without ``<begin>``."""
    target, lengths = looked.batch.target, looked.batch.target_lengths
    if not looked.task.coder.form.writes or target is None or lengths is None:
        return []
    return looked.names(looked.task.coder.answer, target[0, 1 : int(lengths[0])].cpu().numpy())


def width_of(encoding: Encoding, read: np.ndarray) -> int:
    """How many numbers of a step (T, W) are values; flags of missing ones may follow them."""
    return len(encoding.mean) if isinstance(encoding, Numbers) else math.prod(read.shape[1:])


def of_answer(looked: Looked, path: str) -> bool:
    """Whether the steps of a traced value are those of a written answer, not those of the row."""
    return looked.task.coder.form.writes and path.split(".")[0] == "decoder"


def gap_of(looked: Looked) -> str:
    """What stands between two steps of `steps_of`: nothing between the characters of a text."""
    read = [*looked.task.coder.inputs.values()]
    return "" if len(read) == 1 and isinstance(read[0], Text) and read[0].unit == "character" else " "


def _word(value: Any, tiny: float = 0.0) -> str:
    """A decoded value in a few characters; a number below ``tiny`` is 0."""
    while isinstance(value, list | tuple | np.ndarray) and len(value) == 1:
        value = value[0]
    if value is None:
        return _MISSING
    if isinstance(value, float):
        return f"{value if abs(value) > tiny else 0.0:.{_DIGITS}g}"
    if isinstance(value, list | tuple | np.ndarray):
        cells = [_word(one, tiny) for one in value]
        value = " ".join(cells)
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
