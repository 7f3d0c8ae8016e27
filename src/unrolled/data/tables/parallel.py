"""Texts that belong together line by line, in a file for each column, as ``train.en`` and ``train.de``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import plain_name
from unrolled.data.io.utf8 import split_lines
from unrolled.data.readers.text import text_buffer
from unrolled.errors import DataError, counted

__all__ = ["read_parallel"]


def read_parallel(paths: Sequence[Path], config: DataConfig) -> pa.Table:
    """A row for each line, with a column for each of the files: what tells their names apart, such as ``en``.

    Raises:
        DataError: a file is missing, empty or not in ``config.text_encoding``, or two have different numbers of lines.
    """
    columns = {name: split_lines(text_buffer(path, config.text_encoding)) for name, path in _names(paths).items()}
    counts = {path: len(column) for path, column in zip(paths, columns.values(), strict=True)}
    first = paths[0]
    for path, count in counts.items():
        if count != counts[first]:
            hint = "line by line they must belong together"
            raise DataError(
                f"has {counted(count, 'line')}, but {first.name} has {counts[first]}", file=str(path), hint=hint
            )
    return pa.table(columns)


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """The one part of the names, between dots, that is different in each of them."""
    parts = [plain_name(path).split(".") for path in paths]
    for place in range(len(parts[0]) - 1, -1, -1):
        names = [part[place] for part in parts if len(part) > place]
        if len({*names}) == len(paths) and all(names):
            return dict(zip(names, paths, strict=True))
    raise DataError("two of the files that are read line by line have the same name", file=str(paths[-1]))
