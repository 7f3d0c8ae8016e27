"""Tables as they come over HTTP, with predictions as new columns: JSON, CSV, lines of JSON, Arrow streams."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import UNSET, Raw, Struct, UnsetType

from unrolled.data.readers.table import read_written
from unrolled.data.tables.in_memory import to_table
from unrolled.errors import UsageError
from unrolled.runs.trained import Trained
from unrolled.serving.messages import decoded, encoded
from unrolled.serving.refusals import Refused

__all__ = ["ARROW", "CSV", "FORMS", "JSON", "LINES", "Table", "answered"]

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
LINES = "application/x-ndjson"
FORMS = (JSON, CSV, ARROW, LINES)
_PIECE = 1_000  # rows that are Python's values at a time, which take ten times as much memory as Arrow's
_UNPACKED = 1 << 28  # bytes of a table that came compressed
_HERE = "the request"


class Table(Struct, forbid_unknown_fields=True):
    """A table as JSON: its rows, each ``{column: value}``; or its columns."""

    rows: list[Raw] | UnsetType = UNSET
    columns: dict[str, list[Any]] | UnsetType = UNSET


_tables = msgspec.json.Decoder(Table)
_any = msgspec.json.Decoder()


def answered(trained: Trained, body: pa.Buffer, asked: Mapping[str, str]) -> bytes:
    """A table with the predictions of its rows.

    Args:
        trained: the model, which opens no files.
        body: the table.
        asked: its form (``reads``) and that of the answer (``writes``), each one of `FORMS`.

    Raises:
        Refused: it has another form, or is too large.
        DataError, UsageError: as for `Trained.predict`; or the answer cannot have that form.
    """
    table, by_column = _read(body, asked["reads"], trained)
    return _written(trained.predict(table), asked["writes"], by_column)


def _read(body: pa.Buffer, form: str, trained: Trained) -> tuple[Any, bool]:
    """A table, or a list of texts; and whether it came as columns."""
    if form == CSV:
        return read_written(body, _HERE, trained.config.data, ".csv"), False
    if form == LINES:
        return _joined([line for line in body.to_pybytes().splitlines() if line]), False
    if form == JSON:
        table = decoded(_tables, memoryview(body))
        if (table.rows is UNSET) == (table.columns is UNSET):
            raise Refused("BadRequest", 'a table has either "rows" or "columns"')
        if table.rows is UNSET:
            return to_table(table.columns), True
        return _joined(table.rows), False
    try:
        with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
            read = pa.Table.from_batches(_bounded(reader), reader.schema)
        read.validate(full=True)  # reading does not check offsets, and a crafted one would end the process
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise Refused("BadRequest", f"this is not a valid Arrow stream: {str(error)[:200]}") from None
    return read, False


def _joined(raw: Sequence[bytes | Raw]) -> Any:
    """Rows of JSON as a table, made piece by piece; texts as a list."""
    pieces: list[pa.Table] = []
    texts: list[str] = []
    for start in range(0, len(raw), _PIECE):
        rows = [decoded(_any, row) for row in raw[start : start + _PIECE]]
        if all(isinstance(row, str) for row in rows):
            texts += rows
        else:
            pieces.append(to_table(rows))
    if not pieces:
        return texts
    try:
        return pa.concat_tables([*pieces, *([to_table(texts)] if texts else [])], promote_options="permissive")
    except pa.ArrowException:
        return to_table([decoded(_any, row) for row in raw])  # which says what does not fit


def _bounded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, which may be compressed, as long as they are not too large."""
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > _UNPACKED:
            raise Refused("TooLarge", f"a table has at most {_UNPACKED:,} bytes, unpacked")
        yield batch


def _lines(table: pa.Table) -> Iterator[bytes]:
    return (encoded(row) for batch in table.to_batches(_PIECE) for row in batch.to_pylist())


def _written(table: pa.Table, form: str, by_column: bool) -> bytes:
    if form == JSON:
        if by_column:
            return encoded({"columns": table.to_pydict()})
        return b'{"rows":[' + b",".join(_lines(table)) + b"]}"
    if form == LINES:
        return b"\n".join([*_lines(table), b""])
    out = io.BytesIO()
    if form == ARROW:
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
        return out.getvalue()
    from pyarrow import csv

    nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
    if nested:
        raise UsageError(f"CSV has no lists, which the column {nested[0]!r} holds: ask for {JSON} or {ARROW}")
    csv.write_csv(table, out)
    return out.getvalue()
