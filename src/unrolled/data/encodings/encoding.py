"""The protocol of an encoding, and the numbers that it makes of a column.

An encoding turns one column of the table into numbers and back. It is fitted on the training split only, travels with
the model as JSON, and shows the model only its `Spec`. What only some encodings can do is in their facets, see
`unrolled.data.encodings.facets`.
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
    """How an error names a column: the file it came from, its name, and its rows' places in the file.

    Attributes:
        rows: (rows,) int64, the place in the file, from 0, of each row that the column holds; ``None``: all, in order.
        skipped: steps that were removed from the start of each row.
    """

    file: str | Origin
    column: str
    rows: np.ndarray | None = field(default=None, compare=False, repr=False)
    skipped: int = 0

    def row(self, index: int) -> int:
        """The number, from 1, of row ``index`` in the user's data."""
        return (index if self.rows is None else int(self.rows[index])) + 1


@dataclass(frozen=True, slots=True)
class Role:
    """The part that a column plays in the task, whatever its options are.

    Attributes:
        closed: the column is the target: an unseen label is an error instead of ``<unknown>``, and a missing number is
            left unscored instead of flagged.
        read: the column is only read and never written, so its texts may be folded: lower case, single spaces.
        framed: every text becomes ``<begin> … <end>``, so that a model learns where a text starts and ends.
        tokens: the default tokenisation of texts; ``words or bpe``: words, unless there are very many.
        encoder: the folder of a pretrained encoder, whose tokenizer is used for the texts.
        channels: the names of the columns that were joined into this one; empty if none were.
    """

    closed: bool = False
    read: bool = False
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
        missing: (N, C) bool, True where a number was missing before it was filled; ``None`` if none was.
    """

    values: np.ndarray
    offsets: np.ndarray | None
    missing: np.ndarray | None = None

    def lengths(self) -> np.ndarray:
        """(rows,) int64 steps of each row; 1 for a column without a time axis."""
        return np.ones(len(self.values), np.int64) if self.offsets is None else np.diff(self.offsets)

    def repeated(self, times: int) -> Encoded:
        """Each step ``times`` times, one after the other.

        Example:
            >>> Encoded(np.array([3, 4]), np.array([0, 2])).repeated(2)
            Encoded(values=array([3, 3, 4, 4]), offsets=array([0, 4]), missing=None)
        """
        assert self.offsets is not None
        missing = None if self.missing is None else self.missing.repeat(times, 0)
        return Encoded(self.values.repeat(times, 0), times * self.offsets, missing)

    def sets(self) -> Encoded:
        """Each row's ids sorted, without duplicates."""
        assert self.offsets is not None
        size, lengths = int(self.values.max(initial=0)) + 1, self.lengths()
        once = np.unique(np.repeat(np.arange(len(lengths)) * size, lengths) + self.values)
        return Encoded(
            (once % size).astype(self.values.dtype), np.searchsorted(once, np.arange(len(lengths) + 1) * size)
        )

    def unflagged(self, channels: int) -> Encoded:
        """The first ``channels`` of a continuous column, without the flags of missing values, which become NaN."""
        values = self.values[:, :channels]
        if self.missing is not None:  # training may have had no missing values, and so no flags
            values = np.where(self.missing, np.float32(np.nan), values)
        return Encoded(values, self.offsets)


@dataclass(frozen=True, slots=True)
class Traits:
    """What is true of every column of a kind, before it is fitted; tasks choose their columns by it.

    Attributes:
        labels: its values are labels from a fixed set.
        measured: its values are measured numbers.
        channels: each step holds several numbers side by side.
        text: its steps are symbols that a model can generate: characters, words, letters.
        whole: each cell is a sequence that the other columns describe, such as a DNA sequence or a recording.
        verbatim: the text of a cell is its value: blanks count, and ``007`` is not 7.
        clock: it holds the times of the steps, so it is only read beside other columns and never predicted.
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
        UsageError: the kind is unknown.
    """
    traits: Traits = ENCODINGS.get(kind).traits
    return traits


class Encoding(Protocol):
    """One kind of column. A file in ``data/encodings/`` with a line ``MEMBER = Class`` is a kind."""

    kind: ClassVar[str]
    traits: ClassVar[Traits]
    rule: ClassVar[str]  # what a program without this package gives a graph for a cell, in plain words
    Options: ClassVar[type[Part]]  # the options that users may set for a column of this kind

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """How likely the column is of this kind, from 0 (no) to 100 (certain). The kind with the highest score wins."""

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Any, role: Role, where: Where) -> Encoding:
        """Learn scale or vocabulary from a training column.

        Args:
            array: the column.
            options: an instance of `Options`.
            role: the part that the column plays in the task.
            where: how errors name the column.
        """

    @property
    def spec(self) -> Spec:
        """All that a model knows about this column."""

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """Encode the column; ``cache`` is a file for large results, which are then memory-mapped."""

    def decode(self, values: np.ndarray) -> Any:
        """Turn one row's numbers back into the user's value: a str, a float or a list."""

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """Encode a live value: its steps, and the memory to pass as ``before`` with the next value.

        A label, a number or a list of channels is one step; a text may be several, one for each token.

        Args:
            value: the value that a user pushes, or the text of a cell of a CSV file.
            before: the memory that the previous value of the row returned; empty at the start of a row.
            where: how errors name the stream and the column.

        Shape:
            (n,) ids or (n, W) float32, the same as `encode` returns for these steps.

        Raises:
            DataError: the value does not fit the column.
        """

    def to_config(self) -> dict[str, Any]:
        """JSON from which `from_config` rebuilds exactly the same encoding."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Encoding:
        """The inverse of `to_config`."""

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """A note for the user on how much of an encoded column is unknown or missing; empty if nothing is."""

    def report(self) -> str:
        """One line about the column, for the user: ``42 characters``, ``number, mean 3.2, scale 1.1, 4 missing``."""


def has_time(type_: pa.DataType) -> bool:
    """True if the cells of an Arrow column are lists, with one value for each step.

    A text has steps only once it is tokenised.
    """
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))
