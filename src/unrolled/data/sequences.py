"""Sequences: an Arrow table in which a row is one example and a sequence is a list cell (or a text)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from unrolled.data.encoded import ENCODINGS, Where
from unrolled.errors import DataError, did_you_mean

__all__ = ["Sequences", "infer_kinds"]


@dataclass(frozen=True, slots=True)
class Sequences:
    """A table, the kind of each column, and where it came from.

    Attributes:
        table: one row per example.
        kinds: column name -> kind, a name of ``data/encodings``.
        origin: what to call the data in a message: a file's name, or ``memory``.
        first: (rows,) int64 or ``None``. After a split by time, the steps of row r before ``first[r]`` belong to the
            earlier split: a model may read them as history, but no target lies there.
    """

    table: pa.Table
    kinds: dict[str, str]
    origin: str = "memory"
    first: np.ndarray | None = None

    def __len__(self) -> int:
        return self.table.num_rows

    def column(self, name: str) -> pa.ChunkedArray:
        """The column ``name``; a `DataError` that lists the known ones if there is none."""
        if name not in self.kinds:
            hint = did_you_mean(name, self.kinds).strip()
            raise DataError("there is no such column", file=self.origin, column=name, hint=hint)
        return self.table.column(name)

    def where(self, name: str) -> Where:
        """How errors name the column ``name``."""
        return Where(self.origin, name)

    def take(self, rows: np.ndarray) -> Sequences:
        """The examples at ``rows``, in that order."""
        first = None if self.first is None else self.first[rows]
        return replace(self, table=self.table.take(pa.array(rows)), first=first)
