"""Anything a user may name as data → `Sequences`."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.config import DataConfig
from unrolled.data.collection import NAMES, collect
from unrolled.data.encoded import has_time
from unrolled.data.fields import FIELDS, as_steps
from unrolled.data.folder import check_some, files_in, unlike
from unrolled.data.mapped import map_stream
from unrolled.data.memory import to_table
from unrolled.data.moments import duration
from unrolled.data.sequences import Sequences, infer_kinds, unusable
from unrolled.data.steps import group_steps
from unrolled.errors import DataError, Files, UsageError, did_you_mean
from unrolled.registry import Registry

__all__ = ["READERS", "Reader", "read", "suffixes"]

READERS = Registry("reader")
Reader = Callable[[Path, DataConfig], pa.Table]

_SMALL = 64 << 20  # bytes up to which the tables of a folder's files are copied into one piece


def read(
    source: Any,
    config: DataConfig | None = None,
    steps: bool = False,
    timed: Mapping[str, bool] | None = None,
    alphabet: str | None = None,
) -> Sequences:
    """The sequences in ``source``, with the kind of each column.

    A reader may know more of a column than its values tell, and say it in its field's metadata: ``kind``, or ``aside``,
    why nothing is to be learned from it unless it is asked for by name. Files of a folder that cannot be read, or have
    other columns than most, are left out and listed among the remarks.

    Args:
        source: a file, a folder, ``-`` for standard input, or anything that `unrolled.data.memory.to_table` takes.
        config: how to read it; ``source`` in it is not looked at.
        steps: whether a row is a step even without ``config.by`` and ``config.order``; all are one sequence then. A
            table that has list cells has its sequences already.
        timed: for a model's later data, see `unrolled.data.steps.group_steps`.
        alphabet: for a model's later data, that of its symbols; ``None``: the one that the data tells.

    Raises:
        DataError: it is missing, empty, damaged, of no known format, or not as ``config`` says.
        UsageError: ``source`` is nothing that can be read, or ``config`` names an unknown kind or text encoding.

    Example:
        >>> read({"load": [[1.5, 2.0], [3.5]], "works": [True, False]}).kinds
        {'load': 'number', 'works': 'category'}
    """
    config = config or DataConfig()
    table, origin, remarks = _table(source, config, alphabet)
    _check(table, origin)
    named = (field.name for field in table.schema if NAMES in (field.metadata or {}))
    dropped = {name: "names the files" for name in named if name not in config.kinds}
    for name in config.ignore:
        if name not in table.column_names:
            hint = did_you_mean(name, table.column_names).strip()
            raise DataError("there is no such column to ignore", file=origin, column=name, hint=hint)
        dropped[name] = "is ignored, as asked"
    if config.fields:
        table = as_steps(table, config.fields, origin)
        dropped |= dict.fromkeys(config.fields, f"is a step of {FIELDS!r}")
    steps = steps and not any(has_time(field.type) for field in table.schema)
    if config.gap and not config.order:
        raise UsageError("--gap needs --order, the column that tells when each step was")
    if config.by or config.order or steps:
        table = group_steps(table, config.by, config.order, origin, timed, duration(config.gap) if config.gap else None)
        origin = str(origin)  # its rows are sequences now, and no longer those of any file
        dropped |= {config.by: "names the sequence"} if config.by else {}
        kept = config.order in (*config.inputs, *config.ahead, *config.kinds)
        dropped |= {config.order: "orders the steps"} if config.order and not kept else {}
    asked_for = {*config.target, *config.inputs, *config.ahead, *config.kinds, *(timed or ())}
    for field in table.schema:
        if b"aside" in (said := field.metadata or {}) and field.name not in asked_for:
            dropped.setdefault(field.name, said[b"aside"].decode())
    used = table.select([name for name in table.column_names if name not in dropped])
    absent = set() if timed is None else config.kinds.keys() - set(used.column_names)  # later data may lack a column
    asked = {field.name: field.metadata[b"kind"].decode() for field in used.schema if b"kind" in (field.metadata or {})}
    asked |= {config.order: "elapsed"} if config.order in config.inputs else {}
    asked |= {n: kind for n, kind in config.kinds.items() if n not in dropped and n not in absent}
    kinds = infer_kinds(used, asked, origin)
    dropped |= {name: str(unusable(used.column(name))) for name in used.column_names if name not in kinds}
    if not kinds:
        reasons = "; ".join(f"{name!r} {why}" for name, why in dropped.items())
        raise DataError(f"no column is left to learn from: {reasons}", file=origin)
    return Sequences(table, kinds, origin, dropped=dropped, remarks=remarks)


def suffixes() -> dict[str, str]:
    """File suffix -> the reader of such files; imports the readers, which import no torch."""
    return {suffix: name for name, module in _modules().items() for suffix in module.SUFFIXES}


def _modules() -> dict[str, Any]:
    return {name: sys.modules[READERS.get(name).__module__] for name in READERS.names()}


def _table(source: Any, config: DataConfig, alphabet: str | None) -> tuple[pa.Table, str, tuple[str, ...]]:
    if isinstance(source, str | os.PathLike):
        if source == "-":
            return _standard_input(config), "standard input", ()
        path = Path(source)
        if path.is_dir() and config.header:
            raise UsageError(f"--header names the columns of a file, and {path} is a folder")
        if path.is_dir():
            return _folder(path, config, alphabet)
        reader = READERS.get("table") if config.header else _reader(path)  # who names columns means a table
        table = reader(path, config)
        for error in _check_together(reader, {path: table}, config, alphabet).values():
            raise error
        return table, str(path), ()
    return to_table(source), "memory", ()


def _standard_input(config: DataConfig) -> pa.Table:
    from unrolled.data.readers.table import read_written

    return read_written(map_stream(sys.stdin.buffer, "standard input"), "standard input", config)


def _reader(path: Path) -> Reader:
    name = _reader_name(path)
    if name is None:
        if not os.path.lexists(path):
            raise DataError("there is no such file or folder", file=str(path))
        known = ", ".join(sorted(suffixes()))
        raise DataError(f"has no suffix that tells its format; known are {known}", file=str(path))
    reader: Reader = READERS.get(name)
    return reader


def _reader_name(path: Path) -> str | None:
    name = path.name.lower()
    fitting = [(len(suffix), reader) for suffix, reader in suffixes().items() if name.endswith(suffix)]
    return max(fitting)[1] if fitting else None


def _folder(folder: Path, config: DataConfig, alphabet: str | None) -> tuple[pa.Table, str, tuple[str, ...]]:
    files = files_in(folder)
    readers = [_reader_name(file) for file in files]
    counts = Counter(name for name in readers if name is not None)
    if not counts:
        known = ", ".join(sorted(suffixes()))
        raise DataError(f"is a folder in which no file has a known suffix; known are {known}", file=str(folder))
    chosen = max(sorted(counts), key=lambda name: counts[name])
    read_one: Reader = READERS.get(chosen)
    named = [file for file, name in zip(files, readers, strict=True) if name == chosen]
    if example := getattr(_modules()[chosen], "EXAMPLE", None):
        beside = [file for file, name in zip(files, readers, strict=True) if name == "table"]
        table, said = collect(folder, named, beside, example, (read_one, READERS.get("table")), config)
        return table, str(folder), said
    tables: dict[Path, pa.Table] = {}
    broken: dict[Path, DataError] = {}
    for file in named:
        try:
            tables[file] = read_one(file, config)
            _check_names(tables[file], str(file))
        except DataError as error:
            broken[file] = error
    if tables := {file: table for file, table in tables.items() if file not in broken}:
        broken |= unlike(tables)
        alike = {file: table for file, table in tables.items() if file not in broken}
        broken |= _check_together(read_one, alike, config, alphabet)
    left = len(files) - len(named)
    remarks = [f"{len(named)} files are read as {chosen}, {left} others are not"] if left else []
    remarks += check_some(folder, [str(broken[file]) for file in named if file in broken], len(named), chosen)
    kept = {str(file): table for file, table in tables.items() if file not in broken}
    origin = Files(str(folder), {file: table.num_rows for file, table in kept.items()})
    table = pa.concat_tables(kept.values(), promote_options="permissive")
    return (table.combine_chunks() if table.nbytes < _SMALL else table), origin, tuple(remarks)


def _check_together(
    reader: Reader, tables: dict[Path, pa.Table], config: DataConfig, alphabet: str | None
) -> dict[Path, DataError]:
    """What a reader finds wrong with files once it knows all that are read with them."""
    check = getattr(sys.modules[reader.__module__], "CHECK", None)
    return {} if check is None else check(tables, config, alphabet)


def _check_names(table: pa.Table, origin: str) -> None:
    for name, count in Counter(table.column_names).items():
        if count > 1:
            raise DataError("is there twice", file=origin, column=name, hint="rename one of them")


def _check(table: pa.Table, origin: str) -> None:
    _check_names(table, origin)
    if not table.num_rows or not table.column_names:
        raise DataError("holds no row" if table.column_names else "holds no column", file=origin)
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise DataError(f"is damaged: {error}", file=origin) from None
