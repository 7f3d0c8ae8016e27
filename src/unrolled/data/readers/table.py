"""Tables: csv, tsv, jsonl, parquet, and Arrow's own files; the first bytes say which of them a file is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning, contents
from unrolled.data.io.utf8 import is_utf8, strip_bom, to_utf8
from unrolled.data.readers._csv_parts import CsvParts
from unrolled.data.readers._delimited import read_delimited
from unrolled.data.readers._jsonlines import JsonParts, read_json_lines
from unrolled.data.readers._scan import Parts, arrow_blocks, arrow_table, parquet_blocks, text_blocks
from unrolled.data.readers._shapes import first_lines, like_table
from unrolled.data.readers.reader import Reader, ending_of
from unrolled.errors import DataError, reason_of

__all__ = ["read_table", "read_written", "scan_table"]

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
        return next(_decoded(data, path, _parquet, "Parquet"))
    if ending in _ARROW or begin.startswith(_FEATHER):
        return next(_decoded(data, path, _arrow, "Arrow"))
    return read_written(data, str(path), config, ending or None)


def scan_table(path: Path, config: DataConfig, size: int) -> Iterator[pa.Table]:
    """The table in ``path``, in blocks of about ``size`` bytes.

    Raises:
        DataError: as in `read_table`.
    """
    ending, data = ending_of(path, config, (*_WRITTEN, ".parquet", *_ARROW)), contents(path)
    begin = bytes(data[: min(data.size, 16)])
    if ending == ".parquet" or begin.startswith(_PARQUET):
        yield from _decoded(data, path, partial(parquet_blocks, size=size), "Parquet")
    elif ending in _ARROW or begin.startswith(_FEATHER):
        yield from _decoded(data, path, partial(arrow_blocks, size=size), "Arrow")
    else:
        found = path.stat()
        text, as_json = _prepared(data, str(path), config, ending or None)

        def cut() -> Parts:
            if as_json:
                return JsonParts.of(text, str(path), size)
            return CsvParts.of(text, str(path), config, "\t" if ending in (".tsv", ".tab") else None, size)

        key = (str(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, size, config.model_dump_json())
        yield from text_blocks(key, text, cut)


def read_written(data: pa.Buffer, origin: str, config: DataConfig, suffix: str | None = None) -> pa.Table:
    """The table in the text ``data``; without a ``suffix``, JSON Lines if it starts with a brace, otherwise CSV.

    Raises:
        DataError: as in `read_table`.
    """
    data, as_json = _prepared(data, origin, config, suffix)
    if as_json:
        return read_json_lines(data, origin)
    return read_delimited(data, origin, config, "\t" if suffix in (".tsv", ".tab") else None)


def _prepared(data: pa.Buffer, origin: str, config: DataConfig, suffix: str | None) -> tuple[pa.Buffer, bool]:
    """The data in UTF-8 without a byte-order mark, and whether it is JSON Lines."""
    if is_utf8(config.text_encoding):
        data = strip_bom(data, origin)  # UTF-8 is checked cell by cell later, to name row and column
    else:
        data = to_utf8(data, config.text_encoding, origin)
    begin = bytes(data[: min(data.size, 4096)])
    looks = _OBJECT.match(begin) is not None if suffix else begin.lstrip().startswith(b"{")
    return data, suffix in _JSON or looks


def _decoded(
    data: pa.Buffer, path: Path, decode: Callable[[pa.Buffer], Iterable[pa.Table]], form: str
) -> Iterator[pa.Table]:
    try:
        for table in decode(data):
            # Reading does not check offsets, and following a crafted one would crash the process.
            table.validate(full=True)
            yield table
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        reason = reason_of(error)
        raise DataError(f"is not a valid {form} file: {reason}", file=str(path)) from None


def _parquet(data: pa.Buffer) -> Iterator[pa.Table]:
    yield pa.parquet.ParquetFile(pa.BufferReader(data)).read()


def _recognises(beginning: Beginning) -> int:
    begin = beginning.data[:16]
    if begin.startswith((_PARQUET, *_FEATHER)) or (begin.startswith(_STREAM) and begin[8:9] == b"\x10"):
        return 100
    if _OBJECT.match(beginning.data[:4096]):
        return 70
    return like_table(first_lines(beginning))


def _arrow(data: pa.Buffer) -> Iterator[pa.Table]:
    yield arrow_table(data)


MEMBER = Reader(_SUFFIXES, read_table, recognises=_recognises, tabular=True, scan=scan_table)
