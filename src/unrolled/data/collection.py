"""A folder in which each file is an example: pictures, with labels from its folders or a table that names the files.

A cell holds a file's bytes, or a list of parts of them, such as frames. They are spooled to disk and mapped. Where a
cell is one, the column is an Arrow dictionary over them: what takes or shuffles rows moves indices, and a file that
several rows name lies there once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from unrolled.config import DataConfig
from unrolled.data.encoded import has_time
from unrolled.data.encodings._cells import is_text
from unrolled.data.folder import check_some, listed
from unrolled.data.mapped import Spool
from unrolled.errors import DataError

__all__ = ["LABELS", "NAMES", "collect", "one_file"]

NAMES = b"names"  # in a field's metadata: the column names the files, and is nothing to learn from
LABELS = b"labels"  # in a field's metadata: the column is told by the folders in which the files lie

ReadOne = Callable[[Path, DataConfig], pa.Table]


def one_file(name: str, column: str, data: pa.Buffer, sizes: Sequence[int] | None = None) -> pa.Table:
    """A table of a single row: the file's name, and in ``column`` its bytes, or a list of parts of these ``sizes``."""
    cells = _stored(data, [data.size] if sizes is None else sizes)
    if sizes is not None:
        cells = pa.LargeListArray.from_arrays(pa.array([0, len(sizes)], pa.int64()), cells)
    return pa.table([pa.array([name]), cells], _schema(column, cells.type))


def _stored(data: pa.Buffer, sizes: Sequence[int]) -> pa.Array:
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    return pa.Array.from_buffers(pa.large_binary(), len(sizes), [None, pa.py_buffer(offsets), data])


def collect(
    folder: Path,
    named: Sequence[Path],
    tables: Sequence[Path],
    column: str,
    readers: tuple[ReadOne, ReadOne],
    config: DataConfig,
) -> tuple[pa.Table, tuple[str, ...]]:
    """The examples of ``folder``, and what a user should be told of them.

    Columns are ``name``, ``column``, and those of the table of ``tables`` that names the files; without such a table
    ``label``, the folder in which a file lies, if there are several and every file lies in one. A file that cannot be
    read is left out and listed.

    Args:
        folder: where they lie.
        named: the files that are examples.
        tables: those that are tables.
        column: what to call the column of their bytes.
        readers: of an example, and of a table.
        config: how to read.

    Raises:
        DataError: not one file can be read, a table is damaged, or two name the files.
    """
    read_one, read_table = readers
    kept: list[str] = []
    broken: list[str] = []
    sizes: list[list[int]] = []
    timed = False
    with Spool() as spool:
        for file in named:
            try:
                array = read_one(file, config).column(column)
            except DataError as error:
                broken.append(str(error))
                continue
            timed = has_time(array.type)
            parts = [memoryview(part.as_buffer()) for part in (array[0].values if timed else array)]
            for part in parts:
                spool.write(part)
            sizes.append([part.nbytes for part in parts])
            kept.append(file.relative_to(folder).as_posix())
        remarks = check_some(folder, broken, len(named), column)
        stored = _stored(spool.buffer(), [size for of_file in sizes for size in of_file])
    known = {file.relative_to(folder).as_posix() for file in named}
    beside = [(path, table, key) for path in tables if (key := _key(table := read_table(path, config), known))]
    if len(beside) > 1:
        both = " and ".join(path.name for path, _, _ in beside[:2])
        raise DataError(f"{both} name the same files", file=str(folder), hint="keep one table beside them")
    indices, others = np.arange(len(kept)), pa.table({})
    if beside:
        indices, others, said = _join(*beside[0], kept, known, column)
        remarks += said
    elif labels := _folders(kept):
        others = pa.table([labels], pa.schema([pa.field("label", pa.string(), metadata={LABELS: b"folders"})]))
    if timed:
        ends = np.cumsum([0, *map(len, sizes)], dtype=np.int64)
        cells = pa.LargeListArray.from_arrays(pa.array(ends), stored)
        cells = cells.take(pa.array(indices)) if beside else cells  # a copy, where a table chooses among them
    else:
        cells = pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int32)), stored)
    whole = pa.table([pa.array([kept[index] for index in indices], pa.string()), cells], _schema(column, cells.type))
    for name in others.column_names:
        whole = whole.append_column(others.field(name), others.column(name))
    return whole, tuple(remarks)


def _schema(column: str, kind: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field("name", pa.string(), metadata={NAMES: b"files"}), pa.field(column, kind)])


def _key(table: pa.Table, known: set[str]) -> str | None:
    """The column that names the most of the files, if one does."""
    found = {}
    for name in table.column_names:
        if is_text(table.column(name).type):
            plain = {*known, *_alone(known)}
            found[name] = sum(_path(text) in plain for text in table.column(name).to_pylist())
    best = max(found, key=lambda name: found[name], default=None)
    return best if best is not None and found[best] else None


def _join(
    path: Path, table: pa.Table, key: str, kept: list[str], known: set[str], column: str
) -> tuple[np.ndarray, pa.Table, list[str]]:
    """The file of each row that names one, the other columns of these rows, and what a user should be told."""
    others = table.drop_columns([key])
    for name in {"name", column} & set(others.column_names):
        message = f"has the name of the column that holds the files' {'names' if name == 'name' else 'contents'}"
        raise DataError(message, file=str(path), column=name, hint="rename it")
    places = {name: index for index, name in enumerate(kept)}
    alone = _alone(known)
    texts = [_path(text) for text in table.column(key).to_pylist()]
    files = [text if text in known else alone.get(text) for text in texts]
    rows = [row for row, file in enumerate(files) if file in places]
    lost = [repr(text) for text, file in zip(texts, files, strict=True) if file is None]
    unnamed = [repr(name) for name in kept if name not in set(files)]
    remarks = []
    if lost:
        remarks.append(f"{len(lost)} rows of {path.name} name no file that is here: {listed(lost)}")
    if unnamed:
        remarks.append(f"{len(unnamed)} files are named by no row of {path.name}: {listed(unnamed)}")
    if not rows:
        raise DataError("names no file that can be read", file=str(path), column=key)
    return np.array([places[str(files[row])] for row in rows]), others.take(pa.array(rows, pa.int64())), remarks


def _path(text: str | None) -> str:
    return PurePosixPath(text or "").as_posix()  # without ./


def _alone(known: set[str]) -> dict[str, str]:
    """Bare name -> path, where no two files have the name."""
    counts = Counter(PurePosixPath(path).name for path in known)
    return {PurePosixPath(path).name: path for path in known if counts[PurePosixPath(path).name] == 1}


def _folders(kept: list[str]) -> list[str] | None:
    tops = [PurePosixPath(path).parts[0] if "/" in path else None for path in kept]
    labels = [top for top in tops if top is not None]
    return labels if len(labels) == len(kept) and len(set(labels)) > 1 else None
