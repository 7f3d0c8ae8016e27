"""Sequences: an Arrow table in which a row is one example and a sequence is a list cell (or a text)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings.encoding import ENCODINGS, Traits, Where, has_time, traits_of
from unrolled.data.io.blobs import LABELS, is_binary
from unrolled.data.io.field_marks import answer_of, is_gold
from unrolled.data.io.number_types import is_number
from unrolled.data.tables.cadence import Cadence
from unrolled.errors import IN_MEMORY, DataError, Origin, UsageError, did_you_mean, named

__all__ = ["JOINED", "Sequences", "drop_missing", "infer_kinds", "merge", "unusable"]

JOINED = "series"  # the kind of a column made by joining numeric columns

_PARTS = 5  # of an object, that a message lists
_LARGE_ROW = 1 << 16  # bytes from which a row is kept as a separate chunk instead of being copied


@dataclass(frozen=True, slots=True)
class Sequences:
    """A table, the kind of each column, and where it came from.

    Attributes:
        table: one row per example. Columns without a kind are kept for the user but never encoded.
        kinds: column name -> kind, a name in ``data/encodings``.
        origin: the name of the data in messages, and which of its files a row is from.
        first: (rows,) int64 or ``None``. After a split by time, the steps of row r before ``first[r]`` belong to the
            earlier split: a model may read them as history, but no target lies there.
        rows: (rows,) int64, the place in ``origin``, from 0, of each row; ``None``: all rows, in order.
        dropped: column name -> why it has no kind.
        remarks: what else the user should know about how the data was read.
        reader: the name of the reader of its files; empty for data in memory.
        settled: option of reading -> what the data showed, so that later data is read as this was.
        cadence: how the times of the steps follow each other, if a column orders them.
    """

    table: pa.Table
    kinds: dict[str, str]
    origin: Origin = IN_MEMORY
    first: np.ndarray | None = None
    rows: np.ndarray | None = None
    dropped: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    reader: str = ""
    settled: Mapping[str, Any] = field(default_factory=dict)
    cadence: Cadence | None = None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user: the remarks, and each column that is left out, with the reason."""
        return (*self.remarks, *(f"{name!r} is left out: it {why}" for name, why in self.dropped.items()))

    @property
    def labelled(self) -> str | None:
        """The column of labels that come from subfolders, if there is one and it is not left out."""
        return next((name for name in self.kinds if LABELS in (self.table.field(name).metadata or {})), None)

    @property
    def answer(self) -> tuple[str, str] | None:
        """The column that the format of the file asks for, and why, if it says so and the column is not left out."""
        marked = answer_of(self.table.schema)
        return marked if marked is not None and marked[0] in self.kinds else None

    def annotates(self, name: str) -> bool:
        """Whether the column ``name`` annotates the steps of another, so that by default it is no input."""
        return is_gold(self.table.field(name))

    def column(self, name: str) -> pa.ChunkedArray:
        """The column ``name``; raises a `DataError` if it is unknown or left out."""
        if name in self.dropped:
            raise DataError(f"is left out: it {self.dropped[name]}", file=self.origin, column=name)
        if name not in self.kinds:
            hint = did_you_mean(name, self.kinds).strip()
            raise DataError("there is no such column", file=self.origin, column=name, hint=hint)
        return self.table.column(name)

    def traits(self, name: str) -> Traits:
        """The traits of the kind of column ``name``; empty ones if it has no kind."""
        return traits_of(self.kinds[name]) if name in self.kinds else Traits()

    def where(self, name: str) -> Where:
        """How errors name the column ``name``."""
        return Where(self.origin, name, self.rows)

    def take(self, rows: np.ndarray) -> Sequences:
        """The examples at ``rows``, in that order; large ones are not copied."""
        first = None if self.first is None else self.first[rows]
        places = rows.astype(np.int64) if self.rows is None else self.rows[rows]
        return replace(self, table=_take(self.table, rows), first=first, rows=places)

    def slice(self, start: int, stop: int) -> Sequences:
        """The examples from ``start`` until before ``stop``; nothing is copied."""
        first = None if self.first is None else self.first[start:stop]
        places = np.arange(start, min(stop, len(self))) if self.rows is None else self.rows[start:stop]
        return replace(self, table=self.table.slice(start, stop - start), first=first, rows=places)


def infer_kinds(table: pa.Table, overrides: dict[str, str], origin: Origin) -> dict[str, str]:
    """The kind of each column that can be encoded: the one in ``overrides``, or else the encoding that fits best.

    Raises:
        DataError: an override names an unknown column.
        UsageError: an override names an unknown kind.

    Example:
        >>> infer_kinds(pa.table({"x": [[1.5, 2.0]], "day": [None]}), {}, IN_MEMORY)
        {'x': 'number'}
    """
    for name, kind in overrides.items():
        if name not in table.column_names:
            hint = did_you_mean(name, table.column_names).strip()
            raise DataError("there is no such column", file=origin, column=name, hint=hint)
        if kind not in ENCODINGS:
            raise UsageError(f"unknown kind {kind!r} for column {name!r}.{did_you_mean(kind, ENCODINGS.names())}")
    encodings = ENCODINGS.members()
    kinds = {}
    for name in table.column_names:
        column = table.column(name)
        if name in overrides:
            kinds[name] = overrides[name]
        elif unusable(column) is None:
            kinds[name] = max(encodings, key=lambda kind: encodings[kind].recognises(column))
    return kinds


def unusable(column: pa.ChunkedArray) -> str | None:
    """Why ``column`` cannot be encoded, as a phrase to follow "it"; ``None`` if it can."""
    value = column.type
    while has_time(value):
        value = value.value_type
    if pa.types.is_null(value) or column.null_count == len(column):
        return "is empty"
    if pa.types.is_temporal(value):
        order, kinds = named("order"), named("kinds")
        return f"holds dates or times: name it as {order} to sort by it, or give it the kind calendar with {kinds}"
    if is_binary(value) or pa.types.is_fixed_size_binary(value):
        known = any(encoding.recognises(column) for encoding in ENCODINGS.members().values())
        return None if known else "holds bytes"
    if pa.types.is_struct(value):
        return f"holds objects: write {' and '.join(one.name for one in list(value)[:_PARTS])} as separate columns"
    return f"holds {value}, which cannot be encoded" if pa.types.is_nested(value) else None


def drop_missing(part: Sequences, target: str) -> tuple[Sequences, int]:
    """The rows with a known target, and how many rows were dropped.

    Raises:
        DataError: no row has a target.
    """
    known = pc.is_valid(part.column(target))
    missing = len(part) - (pc.sum(known).as_py() or 0)
    if missing == len(part):
        raise DataError(
            "every value of the target is missing",
            file=part.origin,
            column=target,
            hint=f"choose another {named('target')}",
        )
    return (part if not missing else part.take(np.flatnonzero(pa.chunked_array(known.chunks).to_numpy())), missing)


def merge(sequences: Sequences, columns: tuple[str, ...], name: str) -> Sequences:
    """Join several numeric list columns into one column ``name`` of kind series, one channel each.

    The metadata of its field holds the channels' names under ``channels``, as JSON.

    Raises:
        DataError: a column is missing or does not hold lists of numbers, two differ in length in a row, or ``name`` is
            taken.
    """
    if name in sequences.kinds and name not in columns:
        raise DataError("this name is taken by the joined series", file=sequences.origin, column=name, hint="rename it")
    arrays = [_numeric_lists(sequences, column) for column in columns]
    lengths = pc.fill_null(pc.list_value_length(arrays[0]), 0).to_numpy()
    for column, array in zip(columns, arrays, strict=True):
        here = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
        if (here != lengths).any():
            index = int(np.flatnonzero(here != lengths)[0])
            message = f"has {here[index]} steps, but {columns[0]!r} has {lengths[index]}"
            place = sequences.where(column)
            raise DataError(message, file=place.file, row=place.row(index), column=column)
    flat = [pc.list_flatten(array) for array in arrays]
    values = np.stack([part.cast(pa.float64()).to_numpy() for part in flat], 1)  # (N, C)
    missing = np.stack([pc.is_null(part).to_numpy() for part in flat], 1)
    channels = pa.array(values.ravel(), mask=missing.ravel() if missing.any() else None)
    steps = pa.FixedSizeListArray.from_arrays(channels, len(columns))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    cells = pa.LargeListArray.from_arrays(pa.array(offsets), steps)
    kept = [other for other in sequences.table.column_names if other not in (*columns, name)]
    joint = pa.field(name, cells.type, metadata={"channels": json.dumps(list(columns))})
    kinds = {other: kind for other, kind in sequences.kinds.items() if other not in columns} | {name: JOINED}
    return replace(sequences, table=sequences.table.select(kept).append_column(joint, cells), kinds=kinds)


def _numeric_lists(sequences: Sequences, name: str) -> pa.ChunkedArray:
    array = sequences.column(name)
    value = array.type.value_type if has_time(array.type) else pa.null()
    if not (is_number(value) or pa.types.is_decimal(value)):
        raise DataError(f"holds {array.type}, not a list of numbers", file=sequences.origin, column=name)
    return array


def _take(table: pa.Table, rows: np.ndarray) -> pa.Table:
    if not len(rows) or table.nbytes < _LARGE_ROW * table.num_rows:
        if len(rows) < 2 or (np.diff(rows) <= 0).any():
            return table.take(pa.array(rows, pa.int64()))
        kept = np.zeros(table.num_rows, bool)
        kept[rows] = True
        return table.filter(pa.array(kept))  # chunk by chunk, where `take` makes one piece of a column first
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)  # consecutive rows are sliced, not copied
    return pa.concat_tables(table.slice(int(run[0]), len(run)) for run in np.split(rows, starts[1:]))
