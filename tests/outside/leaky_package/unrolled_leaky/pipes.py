"""Tables whose cells are separated by ``|``; the first line names the columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.config import Part, option
from unrolled.data.config import DataConfig
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError


class Options(Part):
    """The option of tables with pipes."""

    comment: str = option("", "What the lines begin with that are left out of a table with pipes.", also=("remark",))


def read_pipes(path: Path, config: DataConfig) -> pa.Table:
    """The table in one file; a column of numbers holds numbers.

    Raises:
        DataError: the file is missing, is not UTF-8, or a line has more or fewer cells than the first.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError:
        raise DataError("is not UTF-8", file=str(path)) from None
    comment = config.of("reader", "pipes").comment
    lines = [line for line in lines if not (comment and line.startswith(comment))]
    names, *rows = [line.split("|") for line in lines] or [[]]
    if not rows:
        raise DataError("holds no row", file=str(path))
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise DataError(f"has {len(row)} cells, expected {len(names)}", file=str(path), row=number)
    if len(set(names)) != len(names):
        raise DataError("names a column twice in its first line", file=str(path))
    return pa.table(
        {name: _typed(cells) for name, cells in zip(names, map(list, zip(*rows, strict=True)), strict=True)}
    )


def _typed(cells: list[str]) -> pa.Array:
    try:
        return pa.array([float(cell) if cell else None for cell in cells])
    except ValueError:
        return pa.array([cell or None for cell in cells], pa.string())


MEMBER = Reader((".pipes",), read_pipes, Options=Options)
