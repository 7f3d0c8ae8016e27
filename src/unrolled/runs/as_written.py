"""The cells of a text table to the letter, to write answers beside them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import contents
from unrolled.data.io.utf8 import to_utf8
from unrolled.data.readers._delimited import read_cells
from unrolled.errors import DataError

__all__ = ["as_written"]


def as_written(table: pa.Table, file: Path, config: DataConfig) -> pa.Table:
    """``table``, which was read from the CSV ``file``, with the original cells of that file: ``007`` stays ``007``.

    A table whose rows are not those of the file, because steps were grouped, stays as it is. So does one of a file that
    is only called a CSV, such as a workbook.
    """
    try:
        data = to_utf8(contents(file), config.text_encoding, str(file))
        cells = read_cells(data, str(file), config, "\t" if file.suffix.lower() in (".tsv", ".tab") else None)
    except DataError:  # it was read before, so it is of another format
        return table
    if cells.num_rows != table.num_rows:
        return table
    for name in {*cells.column_names} & {*table.column_names}:
        table = table.set_column(table.column_names.index(name), name, cells.column(name))
    return table
