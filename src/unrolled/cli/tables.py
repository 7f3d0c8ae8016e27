"""Writing tables: as CSV (a list becomes JSON in its cell), JSON Lines, Parquet, or one JSON object."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from unrolled.cli.output import SCHEMA
from unrolled.errors import UsageError
from unrolled.storage.directories import write_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "Format", "format_of", "write_table"]

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


def write_table(table: pa.Table, form: Format, out: Path | BinaryIO) -> None:
    """Write ``table`` to a stream piece by piece, or to a file all or nothing.

    Raises:
        UsageError: the ending of the file's name is not a known format.
        SpaceError: the disk is full; an existing file is kept.
    """
    if isinstance(out, Path):
        if out.suffix.lower().removeprefix(".") not in FORMATS:
            raise UsageError(f"--out must end in .{', .'.join(FORMATS)}, got {out}")
        memory = io.BytesIO()
        _write(table, form, memory)
        write_file(out, memory.getvalue())
        return
    _write(table, form, out)
    out.flush()


def _write(table: pa.Table, form: Format, out: BinaryIO) -> None:
    table = table if form == "parquet" else _without_bytes(table)
    if form == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, out)
    elif form == "jsonl":
        for batch in table.to_batches():
            out.writelines(_json(row) + b"\n" for row in batch.to_pylist())
    elif form == "conll":
        from unrolled.runs.layouts import conll

        out.write(conll(table).encode())
    elif form == "json":
        out.write(_json({"schema": SCHEMA, "rows": table.to_pylist()}) + b"\n")
    else:
        from pyarrow import csv as arrow

        delimiter = "\t" if form == "tsv" else ","
        arrow.write_csv(_flat(table), out, arrow.WriteOptions(delimiter=delimiter, quoting_style="needed"))


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
