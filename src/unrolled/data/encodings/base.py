"""What an encoding is, and what it makes of a column.

An encoding turns one column of the table into numbers and back. It is fitted on the training split only, travels with
the model as JSON, and tells the model nothing but its `Spec`.

What else there is to know of an encoding is in its facets, see `unrolled.data.encodings.facets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import pyarrow as pa

from unrolled.batch import Spec
from unrolled.config import Part
from unrolled.errors import Origin
from unrolled.registry import Registry

__all__ = ["ENCODINGS", "Encoded", "Encoding", "Role", "Traits", "Where", "has_time", "traits_of"]

ENCODINGS = Registry("encoding")


@dataclass(frozen=True, slots=True)
class Where:
    """What to call a column in an error: the file it came from, its name, and its rows' places in the file.

    Attributes:
        rows: (rows,) int64, the place in the file, from 0, of each row that the column holds; ``None``: all, in order.
        skipped: steps that were taken off the front of each row.
    """

    file: str | Origin
    column: str
    rows: np.ndarray | None = field(default=None, compare=False, repr=False)
    skipped: int = 0

    def row(self, index: int) -> int:
        """The number, from 1, by which a user knows row ``index`` of the column."""
        return (index if self.rows is None else int(self.rows[index])) + 1


@dataclass(frozen=True, slots=True)
class Role:
    """What the question makes of a column, whatever its options are.

    Attributes:
        closed: it is the target: an unseen label is an error instead of ``<unknown>``, and a missing number is not
            flagged but not scored.
        framed: every text becomes ``<begin> … <end>``, so that a model learns where one starts and stops.
        tokens: what a token of a text is where the user does not say; ``words or bpe``: words, unless they are very
            many.
        encoder: the folder of a pretrained encoder, whose tokens are those of the texts that are read.
        channels: the names of the columns that were joined into this one; empty where it was not.
    """

    closed: bool = False
    framed: bool = False
    tokens: Literal["characters", "words", "bpe", "bytes", "words or bpe"] = "characters"
    encoder: Path | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Encoded:
    """A column as numbers: all rows end to end.

    Shape:
        values: (N,) of an integer dtype for `Discrete`, (N, W) float32 for `Continuous`; may be memory-mapped.
        offsets: (rows + 1,) int64, row r is ``values[offsets[r]:offsets[r + 1]]``; ``None`` without a time axis,
            where N = rows.
        missing: (N, C) bool, where a number was missing before it was filled; ``None`` where none was.
    """

    values: np.ndarray
    offsets: np.ndarray | None
    missing: np.ndarray | None = None

    def lengths(self) -> np.ndarray:
        """(rows,) int64 steps of each row; 1 for a column without a time axis."""
        return np.ones(len(self.values), np.int64) if self.offsets is None else np.diff(self.offsets)

    def sets(self) -> Encoded:
        """Each row's ids in order, and each once: a label that stands twice in a cell is one of the set's."""
        assert self.offsets is not None
        size, lengths = int(self.values.max(initial=0)) + 1, self.lengths()
        once = np.unique(np.repeat(np.arange(len(lengths)) * size, lengths) + self.values)
        return Encoded(
            (once % size).astype(self.values.dtype), np.searchsorted(once, np.arange(len(lengths) + 1) * size)
        )

    def unflagged(self, channels: int) -> Encoded:
        """The first ``channels`` of a continuous column, without what tells of missing ones: NaN where one is."""
        values = self.values[:, :channels]
        if self.missing is not None:  # also where training missed nothing, so that there is no flag
            values = np.where(self.missing, np.float32(np.nan), values)
        return Encoded(values, self.offsets)


@dataclass(frozen=True, slots=True)
class Traits:
    """What can be said of every column of a kind, before one is fitted: tasks choose their columns by it.

    Attributes:
        labels: its values are labels from a fixed set.
        measured: its values are measured numbers.
        channels: each step is several of them side by side.
        text: its steps are symbols that a model can write: characters, words, letters.
        whole: a cell is a sequence of its own, of which the other columns tell something: a text of DNA, a recording.
        verbatim: a cell's text is the value as it stands: blanks count, and ``007`` is not 7.
        clock: it tells when the steps were, so it is read beside others and never continued.
    """

    labels: bool = False
    measured: bool = False
    channels: bool = False
    text: bool = False
    whole: bool = False
    verbatim: bool = False
    clock: bool = False


def traits_of(kind: str) -> Traits:
    """The `Traits` of a kind of column.

    Raises:
        UsageError: there is no such kind.
    """
    traits: Traits = ENCODINGS.get(kind).traits
    return traits


class Encoding(Protocol):
    """One kind of column. A file in ``data/encodings/`` with a line ``MEMBER = Class`` is a kind."""

    kind: ClassVar[str]
    traits: ClassVar[Traits]
    Options: ClassVar[type[Part]]  # what a user may say about a column of this kind

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """How sure we are that the column is of this kind: 0 no … 100 certain. The surest kind wins."""

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Any, role: Role, where: Where) -> Encoding:
        """Learn scale or vocabulary from a training column.

        Args:
            array: the column.
            options: an instance of `Options`.
            role: what the question makes of the column.
            where: how errors name it.
        """

    @property
    def spec(self) -> Spec:
        """All that a model learns of this column."""

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """The column as numbers; ``cache`` is a file to put large results in (memory-mapped)."""

    def decode(self, values: np.ndarray) -> Any:
        """One row's numbers as what a user would have written: str, float, or list."""

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """The steps that a live value makes, and what to remember of them: what ``before`` is for the next value.

        A label, a number or a list of channels is one step; a text may be several, which are its tokens.

        Args:
            value: what a user pushes, or a cell of text as it stands in a CSV file.
            before: what was to be remembered of the row's last value; empty at a row's begin.
            where: the stream's name and the column's.

        Shape:
            (n,) ids or (n, W) float32, as `encode` gives the same steps.

        Raises:
            DataError: it does not fit the column.
        """

    def to_config(self) -> dict[str, Any]:
        """JSON from which `from_config` makes the same encoding again, to the bit."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Encoding:
        """The inverse of `to_config`."""

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What a user should know of a column that was encoded: how much is unknown or missing; empty if nothing is."""

    def report(self) -> str:
        """One line for the user: ``42 characters``, ``number, mean 3.2, scale 1.1, 4 missing``."""


def has_time(type_: pa.DataType) -> bool:
    """True if the cells of an Arrow column are lists, with one value a step.

    A text has steps too, once it is tokens.
    """
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))
