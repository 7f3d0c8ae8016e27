"""Tables: csv, tsv, jsonl, parquet, and Arrow's own files; the first bytes say which of them a file is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning, contents
from unrolled.data.io.utf8 import is_utf8, strip_bom, to_utf8
from unrolled.data.readers._delimited import read_delimited
from unrolled.data.readers._jsonlines import read_json_lines
from unrolled.data.readers._shapes import first_lines, like_table
from unrolled.data.readers.reader import Reader, ending_of
from unrolled.errors import DataError, reason_of

__all__ = ["read_table", "read_written"]

_JSON = (".jsonl", ".ndjson")
_WRITTEN = (".csv", ".tsv", ".tab", *_JSON)
_ARROW = (".arrow", ".feather", ".ipc")
_SUFFIXES = (*_WRITTEN, *(f"{suffix}.gz" for suffix in _WRITTEN), ".parquet", *_ARROW)
_PARQUET, _FEATHER, _STREAM = b"PAR1", (b"ARROW1\0\0", b"FEA1\0"), b"\xff\xff\xff\xff"
_OBJECT = re.compile(rb"(\xef\xbb\xbf)?\s*\{\s*\"[^\"\n]*\"\s*:")  # the first line of JSON Lines


def read_table(path: Path, config: DataConfig) -> pa.Table:
    """The table in ``path``.

    Raises:
        DataError: the file is missing, empty, damaged, or breaks the rules of its format.
    """
    ending, data = ending_of(path, config, (*_WRITTEN, ".parquet", *_ARROW)), contents(path)
    begin = bytes(data[: min(data.size, 16)])
    if ending == ".parquet" or begin.startswith(_PARQUET):
        return _decode(data, path, _parquet, "Parquet")
    if ending in _ARROW or begin.startswith(_FEATHER):
        return _decode(data, path, _arrow, "Arrow")
    return read_written(data, str(path), config, ending or None)


def read_written(data: pa.Buffer, origin: str, config: DataConfig, suffix: str | None = None) -> pa.Table:
    """The table in the text ``data``; without a ``suffix``, JSON Lines if it starts with a brace, otherwise CSV.

    Raises:
        DataError: as in `read_table`.
    """
    if is_utf8(config.text_encoding):
        data = strip_bom(data, origin)  # UTF-8 is checked cell by cell later, to name row and column
    else:
        data = to_utf8(data, config.text_encoding, origin)
    begin = bytes(data[: min(data.size, 4096)])
    if suffix in _JSON or (_OBJECT.match(begin) if suffix else begin.lstrip().startswith(b"{")):
        return read_json_lines(data, origin)
    return read_delimited(data, origin, config, "\t" if suffix in (".tsv", ".tab") else None)


def _decode(data: pa.Buffer, path: Path, decode: Callable[[pa.Buffer], pa.Table], form: str) -> pa.Table:
    try:
        table = decode(data)
        # Reading does not check offsets, and following a crafted one would crash the process.
        table.validate(full=True)
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        reason = reason_of(error)
        raise DataError(f"is not a valid {form} file: {reason}", file=str(path)) from None
    return table


def _parquet(data: pa.Buffer) -> pa.Table:
    return pa.parquet.ParquetFile(pa.BufferReader(data)).read()


def _recognises(beginning: Beginning) -> int:
    begin = beginning.data[:16]
    if begin.startswith((_PARQUET, *_FEATHER)) or (begin.startswith(_STREAM) and begin[8:9] == b"\x10"):
        return 100
    if _OBJECT.match(beginning.data[:4096]):
        return 70
    return like_table(first_lines(beginning))


def _arrow(data: pa.Buffer) -> pa.Table:
    if bytes(data[: min(6, data.size)]) == b"ARROW1":
        return pa.ipc.open_file(pa.BufferReader(data)).read_all()
    return pa.ipc.open_stream(pa.BufferReader(data)).read_all()


MEMBER = Reader(_SUFFIXES, read_table, recognises=_recognises, tabular=True)
