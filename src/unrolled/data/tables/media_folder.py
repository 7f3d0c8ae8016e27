"""A folder in which each file is an example, such as a picture; labels come from subfolders or from a table of names.

A cell holds the bytes of a file, or a list of its parts, such as frames. They are spooled to disk and mapped. Where a
cell is one file, the column is dictionary-encoded: selecting or shuffling rows moves only indices, and a file that
several rows name is stored once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings._cells import is_text
from unrolled.data.io.blobs import with_names
from unrolled.data.io.folder import check_some, listed
from unrolled.data.tables.file_names import folder_labels
from unrolled.data.tables.spooled import ReadOne, spooled
from unrolled.errors import DataError

__all__ = ["collect"]


def collect(
    folder: Path,
    named: Sequence[Path],
    tables: Mapping[Path, ReadOne],
    column: str,
    read_one: ReadOne,
    config: DataConfig,
) -> tuple[pa.Table, tuple[str, ...]]:
    """The examples in ``folder``, and remarks for the user.

    The columns are ``name``, ``column``, and those of the table that names the files. Without such a table there is a
    column ``label``, the subfolder of each file, if every file is in one and there are several. A file that cannot be
    read is left out and listed.

    Args:
        folder: the folder.
        named: the files that are examples.
        tables: the files that are tables, with what reads them.
        column: the name of the column of bytes.
        read_one: reads an example.
        config: how to read.

    Raises:
        DataError: no file can be read, a table is damaged, or two tables name the files.
    """
    files = spooled(named, column, read_one, config)
    names = [file.relative_to(folder).as_posix() for file in files.files]
    remarks = check_some(folder, [str(error) for error in files.broken.values()], len(named), column)
    known = {file.relative_to(folder).as_posix() for file in named}
    beside = _naming_table(folder, ((path, read_table(path, config)) for path, read_table in tables.items()), known)
    if beside is None:
        rows, others = np.arange(len(names)), folder_labels(names, folder)
        cells = files.cells
    else:
        rows, others, said = _join(beside, names, known, column)
        remarks += said
        cells = files.cells.take(pa.array(rows)) if files.timed else files.cells  # a copy, in the order of the table
    if not files.timed:
        cells = pa.DictionaryArray.from_arrays(pa.array(rows.astype(np.int32)), cells)
    whole = with_names([names[row] for row in rows], column, cells)
    for name in others.column_names:
        whole = whole.append_column(others.field(name), others.column(name))
    return whole, tuple(remarks)


@dataclass(frozen=True, slots=True)
class _NamingTable:
    """The table at ``path``, whose column ``key`` names the files beside it."""

    path: Path
    table: pa.Table
    key: str


def _naming_table(folder: Path, tables: Iterable[tuple[Path, pa.Table]], known: set[str]) -> _NamingTable | None:
    found = [_NamingTable(path, table, key) for path, table in tables if (key := _key(table, known))]
    if len(found) > 1:
        both = " and ".join(beside.path.name for beside in found[:2])
        raise DataError(f"{both} name the same files", file=str(folder), hint="keep only one of these tables")
    return found[0] if found else None


def _key(table: pa.Table, known: set[str]) -> str | None:
    """The column that names most of the files, if any column names one."""
    plain = {*known, *_unique_names(known)}
    found = {}
    for name in table.column_names:
        if is_text(table.column(name).type):
            found[name] = sum(_path(text) in plain for text in table.column(name).to_pylist())
    best = max(found, key=lambda name: found[name], default=None)
    return best if best is not None and found[best] else None


def _join(
    beside: _NamingTable, kept: list[str], known: set[str], column: str
) -> tuple[np.ndarray, pa.Table, list[str]]:
    """The file of each row that names one, the other columns of these rows, and remarks for the user."""
    path, table, key = beside.path, beside.table, beside.key
    others = table.drop_columns([key])
    for name in {"name", column} & set(others.column_names):
        message = f"this name is taken by the column of the files' {'names' if name == 'name' else 'contents'}"
        raise DataError(message, file=str(path), column=name, hint="rename it")
    places = {name: index for index, name in enumerate(kept)}
    unique = _unique_names(known)
    texts = [_path(text) for text in table.column(key).to_pylist()]
    files = [text if text in known else unique.get(text) for text in texts]
    rows = [row for row, file in enumerate(files) if file in places]
    lost = [repr(text) for text, file in zip(texts, files, strict=True) if file is None]
    named = set(files)
    unnamed = [repr(name) for name in kept if name not in named]
    remarks = []
    if lost:
        remarks.append(f"{len(lost)} rows of {path.name} name a file that is not in the folder: {listed(lost)}")
    if unnamed:
        remarks.append(f"{len(unnamed)} files are not named in {path.name}: {listed(unnamed)}")
    if not rows:
        raise DataError("does not name any file that can be read", file=str(path), column=key)
    return np.array([places[str(files[row])] for row in rows]), others.take(pa.array(rows, pa.int64())), remarks


def _path(text: str | None) -> str:
    return PurePosixPath(text or "").as_posix()  # without ./


def _unique_names(known: set[str]) -> dict[str, str]:
    """File name -> path, for names that only one file has."""
    counts = Counter(PurePosixPath(path).name for path in known)
    return {PurePosixPath(path).name: path for path in known if counts[PurePosixPath(path).name] == 1}
