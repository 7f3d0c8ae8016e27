"""Tables: csv, tsv, jsonl, parquet, and Arrow's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from unrolled.data.config import DataConfig
from unrolled.data.io.mapped import map_file, unpack
from unrolled.data.io.utf8 import is_utf8, strip_bom, to_utf8
from unrolled.data.readers._delimited import read_delimited
from unrolled.data.readers._jsonlines import read_json_lines
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError

__all__ = ["read_table", "read_written"]

_WRITTEN = (".csv", ".tsv", ".jsonl", ".ndjson")
_ARROW = (".arrow", ".feather", ".ipc")


def read_table(path: Path, config: DataConfig) -> pa.Table:
    """The table in ``path``.

    Raises:
        DataError: the file is missing, empty, damaged, or breaks the rules of its format.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        return _decode(path, _parquet, "Parquet")
    if name.endswith(_ARROW):
        return _decode(path, _arrow, "Arrow")
    packed = name.endswith(".gz")
    data = unpack(path) if packed else map_file(path)
    return read_written(data, str(path), config, Path(name.removesuffix(".gz")).suffix)


def read_written(data: pa.Buffer, origin: str, config: DataConfig, suffix: str | None = None) -> pa.Table:
    """The table in the text ``data``; without a ``suffix``, JSON Lines if it starts with a brace, otherwise CSV.

    Raises:
        DataError: as in `read_table`.
    """
    if is_utf8(config.text_encoding):
        data = strip_bom(data, origin)  # UTF-8 is checked cell by cell later, to name row and column
    else:
        data = to_utf8(data, config.text_encoding, origin)
    if suffix is None:
        suffix = ".jsonl" if bytes(data[: min(data.size, 4096)]).lstrip().startswith(b"{") else ".csv"
    if suffix in (".jsonl", ".ndjson"):
        return read_json_lines(data, origin)
    return read_delimited(data, origin, config, "\t" if suffix == ".tsv" else None)


def _decode(path: Path, decode: Callable[[pa.Buffer], pa.Table], form: str) -> pa.Table:
    data = map_file(path)
    try:
        table = decode(data)
        # Reading does not check offsets, and following a crafted one would crash the process.
        table.validate(full=True)
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"is not a valid {form} file: {reason}", file=str(path)) from None
    return table


def _parquet(data: pa.Buffer) -> pa.Table:
    return pa.parquet.ParquetFile(pa.BufferReader(data)).read()


def _arrow(data: pa.Buffer) -> pa.Table:
    if bytes(data[: min(6, data.size)]) == b"ARROW1":
        return pa.ipc.open_file(pa.BufferReader(data)).read_all()
    return pa.ipc.open_stream(pa.BufferReader(data)).read_all()


MEMBER = Reader((*_WRITTEN, *(f"{suffix}.gz" for suffix in _WRITTEN), ".parquet", *_ARROW), read_table)
