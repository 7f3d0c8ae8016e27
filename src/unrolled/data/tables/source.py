"""Open any data source as a `Reading`: its table, where it came from, and remarks about it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings._alphabets import Name
from unrolled.data.io.folder import files_in, holds_files, root_of
from unrolled.data.io.line_files import line_files
from unrolled.data.io.mapped import map_stream
from unrolled.data.io.views import wide, without_views
from unrolled.data.readers._listcells import with_lists
from unrolled.data.readers.reader import READERS, STEP, Reader, remarks_of
from unrolled.data.tables.cadence import Cadence
from unrolled.data.tables.file_names import FILE, name_files
from unrolled.data.tables.folder_tables import FolderTables, check_names, left_out, together
from unrolled.data.tables.in_memory import to_table
from unrolled.data.tables.manifest import with_files
from unrolled.data.tables.media_folder import collect
from unrolled.data.tables.opened import Reading, settled_of
from unrolled.data.tables.parallel import read_parallel
from unrolled.data.tables.recognition import Choice, UnknownFormat, reader_of_file, reader_with_names, readers_of_folder
from unrolled.data.tables.streams import is_stream, stream_blocks
from unrolled.errors import IN_MEMORY, DataError, Origin, UsageError, named

__all__ = ["files_of", "open_blocks", "open_source"]

_TABLE = "table"  # reads standard input, files with named columns, and labels beside pictures
_FIRST_LINE = 1 << 16  # bytes in which the first line of what is piped in ends
_ABOUT = ("readme", "license", "licence", "copying", "changelog")


def open_source(
    source: Any, config: DataConfig, alphabet: Name | None, later: bool = False, head: int | None = None
) -> Reading:
    """Open ``source`` as a table that is not empty and has unique column names.

    Args:
        source: a file, a folder, a pattern such as ``logs/*.csv``, two files of texts as ``train.en,train.de``, ``-``
            for standard input, or anything that `unrolled.data.tables.in_memory.to_table` takes.
        config: how to read it.
        alphabet: for data read by a trained model, the alphabet of its symbols.
        later: whether a trained model reads it.
        head: of files whose reader can scan them, the bytes of the beginning that are read; ``None``: all are.

    Raises:
        DataError: the data is missing, empty, damaged, or of an unknown format.
        UsageError: ``source`` has a type that cannot be read, or its format must be given.
    """
    if not isinstance(source, str | os.PathLike):
        table = to_table(source)
        table = table if head is None else table.slice(0, max(1, head * table.num_rows // max(1, table.nbytes)))
        reading = Reading(with_lists(without_views(table), config), IN_MEMORY)
    elif source == "-":
        reading = _standard_input(config, later)
    elif paths := line_files(source):
        reading = Reading(read_parallel(paths, config), Origin(str(source)), "")
    elif holds_files(path := Path(source)):
        reading = _folder(path, config, alphabet, head)
    else:
        reading = _file(path, config, alphabet, later, head)
    _check(reading.table, reading.origin)
    reading = _with_files(source, reading, config, later)
    return replace(reading, table=wide(without_views(reading.table)))


def open_blocks(source: Any, config: DataConfig, alphabet: Name | None, size: int) -> Iterator[Reading]:
    """`open_source` for a trained model, in blocks of about ``size`` bytes where the source can be read so.

    It can where the reader of the files can scan them, and where a table is made while it is read. The origin of a
    block of a folder is its file.

    Raises:
        DataError, UsageError: as in `open_source`.
    """
    if is_stream(source):
        for table in stream_blocks(source, config, size):
            _check(table, IN_MEMORY)
            reading = _with_files(source, Reading(table, IN_MEMORY), config, later=True)
            yield replace(reading, table=wide(without_views(reading.table)))
        return
    path = Path(source) if isinstance(source, str | os.PathLike) and source != "-" else None
    if path is not None and config.by != FILE and not config.header and holds_files(path):
        names, chosen, files = _chosen_files(path, config)
        if READERS.get(chosen).scan is not None:
            found = FolderTables.of(path, chosen, files, _others(path, names, files), config, alphabet, size=size)
            for reading in found.blocks(config, size):
                _check(reading.table, reading.origin)
                yield replace(reading, table=wide(without_views(reading.table)))
            return
    if path is None or line_files(source) or not path.is_file() or config.by == FILE:
        yield open_source(source, config, alphabet, later=True)
        return
    try:
        choice = _choice(path, config)
    except UnknownFormat:
        choice = Choice("")
    reader: Reader | None = READERS.get(choice.reader) if choice.reader else None
    if reader is None or reader.scan is None:
        yield open_source(source, config, alphabet, later=True)
        return
    for table in reader.scan(path, config, size):
        reading = _of_file(path, table, choice)
        _check(reading.table, reading.origin)
        reading = _with_files(source, reading, config, later=True)
        ready = replace(reading, table=wide(without_views(reading.table)))
        del table, reading
        yield ready
        del ready  # else two blocks would be in memory while the next is read


def _with_files(source: Any, reading: Reading, config: DataConfig, later: bool) -> Reading:
    """The reading with the contents of the files that its columns name; texts in a plain list are never names."""
    path = Path(source) if reading.origin is not IN_MEMORY and source != "-" else None
    tabular = bool(reading.reader) and READERS.get(reading.reader).tabular
    if isinstance(source, list | tuple) or (path is not None and holds_files(path)):
        return reading
    if not tabular and (path is not None or reading.reader):
        return reading
    folder = None if path is None else path.parent
    table, remarks = with_files(reading.table, folder, config, reading.origin, later)
    settled = {"file_columns": tuple(remarks)} if remarks else {}
    return replace(
        reading, table=table, remarks=(*reading.remarks, *remarks.values()), settled={**reading.settled, **settled}
    )


def _standard_input(config: DataConfig, later: bool) -> Reading:
    """What is piped in: a table, or what a model was trained on if that can be piped in too."""
    from unrolled.data.readers.table import read_written

    name = "standard input"
    suffix = f".{config.format.lower().removeprefix('.')}" if config.format else None
    own = _piped(config) if later else None
    if own is None and suffix is not None and suffix not in READERS.get(_TABLE).suffixes:
        raise UsageError(f"standard input is a table, as csv or jsonl: {named('format')} {config.format} needs a file")
    data = map_stream(sys.stdin.buffer, name)
    if own is not None:
        read = READERS.get(own).piped(data, name, config)
        if config.format or not _names_columns(data, read.column_names):
            return Reading(read, Origin(name), own)
    table = read_written(data, name, config, suffix)
    return Reading(table, Origin(name), _TABLE, tuple(remarks_of(table)), settled=settled_of(table))


def _piped(config: DataConfig) -> str | None:
    """The reader of the training data, if it reads standard input too."""
    able = [name for name, reader in READERS.members().items() if reader.piped is not None]
    return next((name for name in able if f"reader.{name}" in config.own), None)


def _names_columns(data: pa.Buffer, columns: Sequence[str]) -> bool:
    """Whether the first line of what is piped in is that of a table with one of ``columns``: its header, or JSON."""
    first = bytes(data[: min(data.size, _FIRST_LINE)]).lstrip(b"\xef\xbb\xbf").partition(b"\n")[0].strip()
    if first.startswith(b"{"):
        try:
            return any(name in json.loads(first) for name in columns)
        except (ValueError, RecursionError):
            return False
    cells = {cell.strip().strip('"') for cell in re.split(r"[,;\t|]", first.decode("utf-8", "replace"))}
    return not cells.isdisjoint(columns)


def _file(path: Path, config: DataConfig, alphabet: Name | None, later: bool, head: int | None) -> Reading:
    try:
        choice = _choice(path, config)
    except UnknownFormat:
        if not later:
            raise
        return Reading(read_parallel((path,), config), Origin(str(path)))  # perhaps one of ``test.en,test.de``
    reader: Reader = READERS.get(choice.reader)
    scan = None if head is None else reader.scan
    table = reader.read(path, config) if scan is None or head is None else next(scan(path, config, head))
    for error in together(reader, {path: table}, config, alphabet).values():
        raise error
    if config.by == FILE and reader.tabular:
        table = name_files(table, path.parent, {path: table}, reader)
    return _of_file(path, table, choice)


def _choice(path: Path, config: DataConfig) -> Choice:
    named_columns = config.header and not config.format
    return Choice(reader_with_names(path) or _TABLE) if named_columns else reader_of_file(path, config)


def _of_file(path: Path, table: pa.Table, choice: Choice) -> Reading:
    remarks = tuple(remark for remark in (choice.remark, *remarks_of(table)) if remark)
    cadence = _cadence(table)
    return Reading(table, Origin(str(path)), choice.reader, remarks, settled=settled_of(table), cadence=cadence)


def _folder(folder: Path, config: DataConfig, alphabet: Name | None, head: int | None) -> Reading:
    if config.header:
        kind = "a folder" if folder.is_dir() else "a pattern"
        raise UsageError(f"{named('header')} only works with a file, but {folder} is {kind}")
    names, chosen, files = _chosen_files(folder, config)
    reader: Reader = READERS.get(chosen)
    others = _others(folder, names, files)
    if reader.example is not None:
        beside = {file: READERS.get(name).read for file, name in names.items() if name and READERS.get(name).tabular}
        table, notes = collect(root_of(folder), files, beside, reader.example, reader.read, config)
        unread = [name for name in others if root_of(folder) / name not in beside]
        return Reading(table, Origin(str(folder)), chosen, (*left_out(unread, len(files), chosen), *notes))
    head = head if reader.scan is not None else None
    found = FolderTables.of(folder, chosen, files, others, config, alphabet, size=head)
    return found.whole() if head is None else found.beginning(config, head)


def _others(folder: Path, names: Mapping[Path, str | None], files: list[Path]) -> list[str]:
    return [file.relative_to(root_of(folder)).as_posix() for file in names.keys() - {*files}]


def files_of(folder: Path, config: DataConfig) -> list[Path]:
    """The files of ``folder`` that `open_source` reads as its rows, in order.

    Raises:
        DataError: none has a known format.
        UsageError: each file is an example, not a table, so that they are read together.
    """
    _, chosen, files = _chosen_files(folder, config)
    if READERS.get(chosen).example is not None:
        raise UsageError(f"{folder} holds {chosen} files, of which each is one row, so they are not read file by file")
    return files


def _chosen_files(folder: Path, config: DataConfig) -> tuple[dict[Path, str | None], str, list[Path]]:
    """The reader of each file, the one that reads the folder, and the files that it reads."""
    names = readers_of_folder(files_in(folder), config)
    counts = Counter(name for name in names.values() if name is not None)
    if not counts:
        known = ", ".join(READERS.names())
        hint = f"if all are of one, give {named('format')}: {known}"
        raise DataError("none of its files has a known format", file=str(folder), hint=hint)
    chosen = max(sorted(counts), key=lambda name: (not READERS.get(name).sidecar, counts[name]))
    return names, chosen, _examples([file for file, name in names.items() if name == chosen])


def _examples(files: list[Path]) -> list[Path]:
    """The ``files`` without those that are about the others, unless there are no others."""
    return [file for file in files if not file.stem.lower().startswith(_ABOUT)] or files


def _cadence(table: pa.Table) -> Cadence | None:
    """What the file says about the steps of its series."""
    said = (table.schema.metadata or {}).get(STEP)
    return None if said is None else Cadence(**json.loads(said))


def _check(table: pa.Table, origin: Origin) -> None:
    check_names(table, origin)
    if not table.num_rows or not table.column_names:
        raise DataError("has no rows" if table.column_names else "has no columns", file=origin)
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise DataError(f"is damaged: {error}", file=origin) from None
