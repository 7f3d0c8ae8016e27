"""Writing tables: as CSV (a list becomes JSON in its cell), JSON Lines, Parquet, or one JSON object."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from unrolled.cli.output import SCHEMA
from unrolled.errors import UsageError
from unrolled.storage.directories import write_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "Format", "format_of", "write_tables"]

Format = Literal["csv", "tsv", "jsonl", "parquet", "conll", "json"]
FORMATS = ("csv", "tsv", "jsonl", "parquet", "conll")
_SENTENCES = (".conll", ".conllu", ".iob", ".iob2", ".bio")
_JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_BINARY = (".parquet", ".arrow", ".feather", ".ipc")


def format_of(file: str, stdin: BinaryIO | None = None) -> Format:
    """The format for predictions of ``file``: by its name, or for ``stdin`` by the look of its first line."""
    name = file.lower()
    if stdin is not None:
        peek = getattr(stdin, "peek", lambda _: b"")  # looks without consuming: the data is read later
        begin = peek(4096)
        return "jsonl" if begin.lstrip().startswith(b"{") else "csv"
    if name.endswith(_JSON_LINES):
        return "jsonl"
    if name.endswith((".tsv", ".tsv.gz")):
        return "tsv"
    if name.endswith(_SENTENCES):
        return "conll"
    return "parquet" if name.endswith(_BINARY) else "csv"


def write_tables(tables: Iterable[pa.Table], form: Format, out: Path | BinaryIO) -> int:
    """Write ``tables``, the pieces of one table, to a stream piece by piece, or to a file all or nothing.

    Returns:
        how many rows they have.

    Raises:
        UsageError: the ending of the file's name is not a known format.
        SpaceError: the disk is full; an existing file is kept.
    """
    from unrolled.runs.parts import Counted

    counting = Counted(tables)
    if isinstance(out, Path):
        if out.suffix.lower().removeprefix(".") not in FORMATS:
            raise UsageError(f"--out must end in .{', .'.join(FORMATS)}, got {out}")
        write_file(out, _written(counting, form))
    else:
        out.writelines(_written(counting, form))
        out.flush()
    return counting.rows


def _written(tables: Iterable[pa.Table], form: Format) -> Iterator[bytes]:
    if form == "parquet":
        from unrolled.runs.parts import as_parquet

        yield from as_parquet(tables)
        return
    shown = map(_without_bytes, tables)
    if form == "jsonl":
        for table in shown:
            for batch in table.to_batches():
                yield from (_json(row) + b"\n" for row in batch.to_pylist())
    elif form == "conll":
        from unrolled.runs.layouts import conll

        yield from (conll(table).encode() for table in shown)
    elif form == "json":
        yield from _object(row for table in shown for batch in table.to_batches() for row in batch.to_pylist())
    else:
        yield from _lines(map(_flat, shown), "\t" if form == "tsv" else ",")


def _object(rows: Iterable[Any]) -> Iterator[bytes]:
    yield _json({"schema": SCHEMA}).removesuffix(b"}") + b', "rows": ['
    for place, row in enumerate(rows):
        yield (b", " if place else b"") + _json(row)
    yield b"]}\n"


def _lines(tables: Iterable[pa.Table], separator: str) -> Iterator[bytes]:
    """CSV, whose columns are those of the first table."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    names: list[str] = []
    for table in tables:
        header, names = not names, names or table.column_names
        nothing = pa.nulls(table.num_rows)
        columns = [table.column(name) if name in table.column_names else nothing for name in names]
        memory = io.BytesIO()
        options = arrow.WriteOptions(include_header=header, delimiter=separator, quoting_style="needed")
        arrow.write_csv(pa.table(columns, names), memory, options)
        yield memory.getvalue()


def _without_bytes(table: pa.Table) -> pa.Table:
    """The table without binary columns, such as pictures, which text formats cannot hold."""
    import pyarrow as pa

    types = {field.name: getattr(field.type, "value_type", field.type) for field in table.schema}
    return table.drop_columns(
        [n for n, kind in types.items() if pa.types.is_binary(kind) or pa.types.is_large_binary(kind)]
    )


def _flat(table: pa.Table) -> pa.Table:
    """The table with its lists as JSON text."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            cells = [None if cell is None else _json(cell).decode() for cell in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(cells, pa.large_string()))
    return table


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False).encode()
    except ValueError:  # JSON has no NaN
        return json.dumps(_without_nan(value), ensure_ascii=False, default=str).encode()


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return {name: _without_nan(part) for name, part in value.items()} if isinstance(value, dict) else value
