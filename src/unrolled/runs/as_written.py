"""The cells of a text table to the letter, to write answers beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.remote import near
from unrolled.data.io.unpacking import contents
from unrolled.data.io.utf8 import to_utf8
from unrolled.data.readers._csv_parts import CsvParts
from unrolled.errors import DataError

__all__ = ["AsWritten"]

_BLOCK = 1 << 24  # bytes that are read at a time


class AsWritten:
    """The original cells of a CSV file, in the order of its rows: ``007`` stays ``007``.

    Args:
        file: the file or its address, from whose rows the answers were made, in order.
        config: how it was read.
    """

    def __init__(self, file: str | Path, config: DataConfig) -> None:
        self._cells = _cells(file, config)
        self._held: list[pa.Table] = []

    def beside(self, table: pa.Table) -> pa.Table:
        """``table``, whose rows are the next ones of the file, with the cells of the file.

        A table whose rows are not those of the file, because steps were grouped, stays as it is. So does one of a file
        that is only called a CSV, such as a workbook.
        """
        cells = self._next(table.num_rows)
        if cells is None:
            return table
        for name in {*cells.column_names} & {*table.column_names}:
            table = table.set_column(table.column_names.index(name), name, cells.column(name))
        return table

    def _next(self, rows: int) -> pa.Table | None:
        while sum(part.num_rows for part in self._held) < rows:
            part = next(self._cells, None)
            if part is None:
                return None
            self._held.append(part)
        joined = pa.concat_tables(self._held)
        self._held = [joined.slice(rows)]
        return joined.slice(0, rows)


def _cells(file: str | Path, config: DataConfig) -> Iterator[pa.Table]:
    try:
        with near(file) as here:
            path = Path(here.source)
            data = to_utf8(contents(path), config.text_encoding, str(file))
        separator = "\t" if path.suffix.lower() in (".tsv", ".tab") else None
        yield from CsvParts.of(data, str(file), config, separator, _BLOCK).cells()
    except DataError:  # it was read before, so it is of another format
        return
