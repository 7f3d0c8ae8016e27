"""A table whose cells name files, such as recordings or pictures: the cell becomes what is in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings._cells import is_text
from unrolled.data.encodings.encoding import ENCODINGS, traits_of
from unrolled.data.io.blobs import NAMES
from unrolled.data.readers.reader import READERS, Reader, reader_of, suffixes
from unrolled.data.tables.spooled import spooled
from unrolled.errors import DataError, Origin, counted, did_you_mean, named

__all__ = ["with_files"]

_Fail = Callable[[Path, object], DataError]
_SAMPLE = 50  # cells that show whether a column names files


def with_files(
    table: pa.Table, folder: Path | None, config: DataConfig, origin: Origin, later: bool = False
) -> tuple[pa.Table, dict[str, str]]:
    """``table`` with the contents of the files that its columns name, and for each of these a remark.

    All cells of such a column end in the suffix of one reader whose files are single examples. They are paths that are
    absolute, or relative to the table's folder or else to the working directory. Texts are read from below the table's
    folder only, since a cell that looks like a name may well be the text itself. The names are kept in a column
    ``NAME_name``, from which nothing is learned.

    Args:
        table: the table.
        folder: the folder of its file; ``None`` for data that came from no file.
        config: how to read; without ``file_columns``, the columns are found by their cells. One that groups, orders or
            is ignored, or whose kind it sets to labels or texts, stays as it is then.
        origin: how errors name the table.
        later: whether a trained model reads it, so that a column may be absent.

    Raises:
        DataError: a file is missing (with the row that names it) or cannot be read, or none of them is there.
    """
    known = suffixes()
    remarks = {}
    for name in config.file_columns:
        if name not in table.column_names and not later:
            raise DataError(
                f"there is no such column.{did_you_mean(name, table.column_names)}", file=origin, column=name
            )
    for name in table.column_names:
        asked = name in config.file_columns
        candidate = asked or (not config.file_columns and _may_name(name, config))
        reader = _named_reader(table.column(name), known) if candidate and is_text(table.column(name).type) else None
        if reader is None and asked:
            raise DataError("does not name files of one format, by their suffix", file=origin, column=name)
        if reader is None:
            continue
        paths = _paths(table.column(name), folder, READERS.get(reader), name, origin)
        if paths is None and asked:
            message = "names texts, which must all lie below the folder of the table"
            raise DataError(message, file=origin, column=name)
        if paths is not None:
            table = _replaced(table, name, paths, READERS.get(reader), config, origin)
            files = len({*paths} - {None})
            remarks[name] = f"{name!r} names {counted(files, 'file')}, read as {reader}"
    return table, remarks


def _may_name(name: str, config: DataConfig) -> bool:
    kind = config.kinds.get(name, "")
    verbatim = kind in ENCODINGS and (traits_of(kind).labels or traits_of(kind).verbatim)
    return name not in (config.by, config.order, *config.ignore) and not verbatim


def _named_reader(column: pa.ChunkedArray, known: Mapping[str, str]) -> str | None:
    """The reader of the files that all cells name by their suffix, if its files are single examples."""
    for cells in (column.slice(0, _SAMPLE), column):
        names = {reader_of(Path(cell), known) for cell in cells.to_pylist() if cell}
        name = names.pop() if len(names) == 1 else None
        reader: Reader | None = None if name is None else READERS.get(name)
        if reader is None or (reader.example is None and reader.whole is None):
            return None
    return name


def _paths(
    column: pa.ChunkedArray, folder: Path | None, reader: Reader, name: str, origin: Origin
) -> list[Path | None] | None:
    """The path of each row's file; ``None`` if the column does not name files after all."""
    cells = [None if not cell else cell.replace("\\", "/") for cell in column.to_pylist()]
    bases = [Path()] if folder is None else [folder, Path()]
    distinct = {cell for cell in cells if cell is not None}
    found = Counter({base: sum(_is_file(base / cell) for cell in distinct) for base in bases})
    base, there = max(found.items(), key=lambda item: item[1])
    if reader.vague and (folder is None or base != folder or there < len(distinct) or not all(_below(folder, cells))):
        return None
    if not there:
        first = next(cell for cell in cells if cell)
        place = "in the working directory" if folder is None else f"in {folder}"
        raise DataError(
            f"names files such as {first!r}, but none of them is {place}",
            file=origin,
            column=name,
            hint=f"move the table beside its files, or give {named('ignore')} {name} to leave the column out",
        )
    paths = [None if cell is None else base / cell for cell in cells]
    for row, path in enumerate(paths, start=1):
        if path is not None and not _is_file(path):
            raise DataError(f"there is no file {str(path)!r}", file=origin, row=row, column=name)
    return paths


def _below(folder: Path, cells: Iterable[str | None]) -> Iterable[bool]:
    return ((folder / cell).resolve().is_relative_to(folder.resolve()) for cell in cells if cell)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _replaced(
    table: pa.Table, name: str, paths: list[Path | None], reader: Reader, config: DataConfig, origin: Origin
) -> pa.Table:
    files = list(dict.fromkeys(path for path in paths if path is not None))
    places = {path: place for place, path in enumerate(files)}
    rows = pa.array([None if path is None else places[path] for path in paths], pa.int32())

    def fail(path: Path, error: object) -> DataError:
        return DataError(
            f"names a file that cannot be read: {error}", file=origin, row=paths.index(path) + 1, column=name
        )

    if reader.example is not None:
        held = spooled(files, reader.example, reader.read, config)
        for path, error in held.broken.items():
            raise fail(path, error) from None
        field = pa.field(name, held.cells.type)
        cells = held.cells.take(rows) if held.timed else pa.DictionaryArray.from_arrays(rows, held.cells)
    else:
        field, whole = _wholes(files, reader, config, fail)
        cells = whole.take(rows)
    names = pa.field(f"{name}_name", pa.string(), metadata={NAMES: b"files"})
    texts = table.column(name)
    table = table.set_column(table.column_names.index(name), field.with_name(name).with_type(cells.type), cells)
    return table if names.name in table.column_names else table.append_column(names, texts.cast(pa.string()))


def _wholes(files: list[Path], reader: Reader, config: DataConfig, fail: _Fail) -> tuple[pa.Field, pa.Array]:
    """The first column of each file, read as one row."""
    assert reader.whole is not None
    tables = []
    for path in files:
        try:
            table = reader.whole(path, config).select([0])
        except DataError as error:
            raise fail(path, error) from None
        if table.num_rows != 1:
            raise fail(path, f"it has {counted(table.num_rows, 'row')}, not one")
        tables.append(table)
    try:
        whole = pa.concat_tables(
            [table.rename_columns(tables[0].column_names) for table in tables], promote_options="permissive"
        )
    except pa.ArrowException:
        odd = next(
            path for path, table in zip(files, tables, strict=True) if table.column(0).type != tables[0].column(0).type
        )
        raise fail(odd, f"it does not hold the same as {files[0].name}") from None
    return whole.field(0), whole.column(0).combine_chunks()
