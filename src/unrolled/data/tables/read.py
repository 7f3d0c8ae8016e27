"""Read any data source into `Sequences`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings._alphabets import Name
from unrolled.data.encodings.encoding import ENCODINGS, has_time, traits_of
from unrolled.data.io.blobs import NAMES
from unrolled.data.io.remote import near
from unrolled.data.io.timestamps import duration
from unrolled.data.tables.composed import DATE, with_clock, with_date_of_numbers, with_key, with_seconds
from unrolled.data.tables.dated import with_dates
from unrolled.data.tables.file_names import FILE, each_is_a_series
from unrolled.data.tables.found_steps import with_steps_found
from unrolled.data.tables.grouping import group_steps
from unrolled.data.tables.groups_of_rows import said_of_groups
from unrolled.data.tables.identifiers import identifiers, index_columns, is_time
from unrolled.data.tables.opened import Reading
from unrolled.data.tables.record import FIELDS, as_steps
from unrolled.data.tables.sequences import Sequences, infer_kinds, unusable
from unrolled.data.tables.sets import separators_of, split_sets
from unrolled.data.tables.source import open_blocks, open_source
from unrolled.data.tables.times import look_at_times
from unrolled.data.tables.whole_numbers import kinds_of_whole_numbers
from unrolled.errors import DataError, Origin, UsageError, did_you_mean, lacking, named

__all__ = ["read", "read_blocks"]

_BLOCK = 1 << 24  # bytes


def read(
    source: Any,
    config: DataConfig | None = None,
    steps: bool = False,
    wanted: Collection[str] = (),
    timed: Mapping[str, bool] | None = None,
    alphabet: Name | None = None,
    find_steps: bool = False,
    head: int | None = None,
) -> Sequences:
    """Read the sequences in ``source`` and infer the kind of each column.

    Files of a folder that cannot be read, or whose columns differ from most others, are left out and listed in the
    remarks.

    Args:
        source: anything that `unrolled.data.tables.source.open_source` takes, or the address of remote files.
        config: how to read it.
        steps: whether each row is a step even without ``config.by`` and ``config.order``, so that all rows make one
            sequence. It has no effect on a table with list cells.
        wanted: further columns that must be kept.
        timed: for data read by a trained model, see `unrolled.data.tables.grouping.group_steps`.
        alphabet: for data read by a trained model, the alphabet of its symbols; ``None`` infers it from the data.
        find_steps: whether to find out if the rows are steps in time, where ``config`` does not say; what is found is
            in ``settled``.
        head: of a file whose reader can scan it, only about so many bytes of its beginning are read.

    Raises:
        DataError: the data is missing, empty, damaged, of an unknown format, or does not fit ``config``.
        UsageError: ``source`` has a type that cannot be read, or ``config`` names an unknown kind or text encoding.

    Example:
        >>> read({"load": [[1.5, 2.0], [3.5]], "works": [True, False]}).kinds
        {'load': 'number', 'works': 'category'}
    """
    config = config or DataConfig()
    with near(source) as here:
        reading = open_source(here.source, config, alphabet, timed is not None, head).at(here)
    return _arranged(reading, config, steps, wanted, timed, find_steps=find_steps)


def read_blocks(
    source: Any,
    config: DataConfig,
    steps: bool,
    wanted: Collection[str],
    timed: Mapping[str, bool],
    alphabet: Name | None = None,
    size: int = _BLOCK,
    *,
    apart: bool = False,
) -> Iterator[Sequences]:
    """`read` for a trained model, block by block: files whose reader can are never in memory as a whole.

    A block of a folder has the origin of its file. Where rows are steps that make sequences, and for all other sources,
    there is one block.

    Args:
        source, config, steps, wanted, timed, alphabet: as for `read`.
        size: bytes of a block, about.
        apart: whether rows that are steps are left apart, to be grouped later.

    Raises:
        DataError, UsageError: as in `read`.
    """
    if not apart and (config.by or config.order or config.fields or steps):
        yield read(source, config, steps, wanted, timed, alphabet)
        return
    first, origin = 0, None
    with near(source) as here:
        for reading in open_blocks(here.source, config, alphabet, size):
            part = _arranged(reading.at(here), config, steps, wanted, timed, apart=apart)
            first, origin = first if reading.origin == origin else 0, reading.origin
            part = replace(part, rows=np.arange(first, first + len(part))) if first else part
            first += len(part)
            yield part
            del reading, part  # else two blocks would be in memory while the next is read


def _arranged(
    reading: Reading,
    config: DataConfig,
    steps: bool,
    wanted: Collection[str],
    timed: Mapping[str, bool] | None,
    *,
    find_steps: bool = False,
    apart: bool = False,
) -> Sequences:
    """The sequences in what was opened; the arguments are those of `read` and `read_blocks`."""
    asked_for = {*config.target, *config.inputs, *wanted, *config.kinds, *(timed or ())}
    reading = _with_named_index(reading)
    reading = replace(reading, table=with_key(reading.table, config.by))
    if config.order == DATE and DATE not in reading.table.column_names:
        reading = replace(reading, table=with_date_of_numbers(reading.table, ()).table)
    if timed is not None:
        _check_present(reading, config)
    reading = _leave_names_out(reading, config)
    reading = _leave_ignored_out(reading, config)
    reading = _date(reading, config, later=timed is not None)
    if find_steps:
        reading = with_steps_found(reading, config, steps)
        config = config.model_copy(update=dict(reading.settled))
        asked_for |= {*config.target, *config.inputs, *config.kinds}
    if timed is None:
        kept = asked_for | {name for name in (config.by, config.order, *config.fields, *reading.dropped) if name}
        reading = reading.without(_names_of_rows(reading.table, kept))
        if find_steps and config.target and not (config.by or config.order or steps):
            left = [name for name in reading.table.column_names if name not in {*reading.dropped, *config.target}]
            reading = replace(reading, remarks=(*reading.remarks, *said_of_groups(reading.table.select(left))))
    reading = _with_sets(reading, config, steps, later=timed is not None)
    reading = _join_fields(reading, config)
    reading = reading if apart else _group(reading, config, steps, wanted, timed)
    reading = _leave_aside(reading, asked_for)
    return _with_kinds(reading, config, steps, timed)


def _check_present(reading: Reading, config: DataConfig) -> None:
    """Refuse later data of a model without the columns that group or make its steps, as they did in training."""
    known = reading.table.column_names
    for name in (config.by, config.order, *config.fields):
        if name and name not in known:
            raise lacking(name, reading.origin, known)


def _leave_names_out(reading: Reading, config: DataConfig) -> Reading:
    names = [field.name for field in reading.table.schema if NAMES in (field.metadata or {})]
    return reading.without({name: "names the files" for name in names if name not in config.kinds})


def _leave_ignored_out(reading: Reading, config: DataConfig) -> Reading:
    known = reading.table.column_names
    for name in config.ignore:
        if name not in known:
            hint = did_you_mean(name, known).strip()
            raise DataError("there is no such column to ignore", file=reading.origin, column=name, hint=hint)
    return reading.without(dict.fromkeys(config.ignore, f"is listed in {named('ignore')}"))


def _date(reading: Reading, config: DataConfig, later: bool) -> Reading:
    dated = with_dates(reading.table, config, reading.origin, {*reading.dropped, *config.fields})
    settled = {"date_order": dated.order} if dated.order else {}
    timed = with_clock(dated.table, {*reading.dropped, *config.fields, *config.kinds}, later=later)
    kept = {name for name, kind in config.kinds.items() if not (kind in ENCODINGS and traits_of(kind).measured)}
    table, seconds = with_seconds(
        timed.table, {*reading.dropped, *timed.dropped, *config.fields, *kept, config.by or ""}
    )
    # It was said when the model was trained.
    said = () if later else (*dated.remarks, *filter(None, [timed.remark]), *seconds)
    reading = replace(reading, table=table, settled={**reading.settled, **settled})
    return replace(reading, remarks=(*reading.remarks, *said)).without(timed.dropped)


def _with_named_index(reading: Reading) -> Reading:
    """The dates of a data frame's index, which has no name, are the column ``index``."""
    table = reading.table
    nameless = [name for name in index_columns(table.schema) if name.startswith("__index_level_")]
    if len(nameless) != 1 or "index" in table.column_names or not is_time(table.schema.field(nameless[0]).type):
        return reading
    names = ["index" if name == nameless[0] else name for name in table.column_names]
    return replace(reading, table=table.rename_columns(names))


def _names_of_rows(table: pa.Table, kept: Collection[str]) -> dict[str, str]:
    """Columns that name the rows, if others are left to learn from."""
    found, index = identifiers(table, kept), index_columns(table.schema)
    others = [
        name for name in table.column_names if name not in {*found, *kept} and unusable(table.column(name)) is None
    ]
    return found if others else {name: why for name, why in found.items() if name in index}


def _with_sets(reading: Reading, config: DataConfig, steps: bool, *, later: bool) -> Reading:
    """Cells that hold several labels as lists of them: where the user says so, or else where they look so."""
    in_steps = bool(config.by or config.order or config.fields or steps)
    if in_steps and config.sets:
        raise UsageError(f"{named('sets')} only works where each row is one example, not a step of a sequence")
    found: dict[str, str] = {}
    if not (later or in_steps):
        given = {*reading.dropped, *config.kinds, *config.sets}
        free = [field.name for field in reading.table.schema if field.name not in given and not field.metadata]
        found = separators_of(reading.table, free)
    said = [
        f"{name!r} holds sets of labels, separated by {one!r}; {named('sets')} {name}=none keeps its cells whole"
        for name, one in found.items()
    ]
    table = split_sets(reading.table, {**found, **config.sets}, reading.origin)
    settled = {**reading.settled, **({"sets": {**found, **config.sets}} if found else {})}
    return replace(reading, table=table, settled=settled, remarks=(*reading.remarks, *said))


def _join_fields(reading: Reading, config: DataConfig) -> Reading:
    if not config.fields:
        return reading
    table = as_steps(reading.table, config.fields, reading.origin)
    return replace(reading, table=table).without(dict.fromkeys(config.fields, f"is a step of {FIELDS!r}"))


def _group(
    reading: Reading, config: DataConfig, steps: bool, wanted: Collection[str], timed: Mapping[str, bool] | None
) -> Reading:
    by, order = config.by, config.order
    if config.gap and not order:
        raise UsageError(f"{named('gap')} needs {named('order')}, the column that holds the time of each step")
    if not by and not order and (not steps or any(has_time(field.type) for field in reading.table.schema)):
        return reading
    if not by and (order is None or order in reading.table.column_names):
        reading, by = _by_file(reading, order)
    if order and timed is None:
        cadence, line = look_at_times(reading.table, by, order, reading.origin)
        reading = replace(reading, cadence=cadence, remarks=(*reading.remarks, *([line] if line else [])))
    gap = duration(config.gap) if config.gap else None
    table = group_steps(reading.table, by, order, reading.origin, timed, gap)
    dropped = {by: "names the sequence"} if by else {}
    if order and order not in (*config.inputs, *wanted, *config.kinds):
        dropped[order] = "orders the steps"
    # A row is now a sequence, so it no longer has a row number in a file.
    return replace(reading, table=table, origin=Origin(reading.origin.name)).without(dropped)


def _by_file(reading: Reading, order: str | None) -> tuple[Reading, str | None]:
    """The files of a folder as the key of its sequences, where each of them is one; and a remark on it."""
    files = len(reading.origin.files)
    if files < 2 or FILE not in reading.table.column_names:
        return reading, None
    if each_is_a_series(reading.table, reading.origin, order):
        said = f"each of the {files} files is one sequence, as with {named('by')} {FILE}"
        settled = {**reading.settled, "by": FILE}
        return replace(reading, remarks=(*reading.remarks, said), settled=settled), FILE
    said = f"the {files} files follow one another in time: they are one sequence ({named('by')} {FILE} separates them)"
    return replace(reading, remarks=(*reading.remarks, said)), None


def _leave_aside(reading: Reading, asked_for: set[str]) -> Reading:
    kept = asked_for | reading.dropped.keys()
    fields = [field for field in reading.table.schema if field.name not in kept and b"aside" in (field.metadata or {})]
    return reading.without({field.name: field.metadata[b"aside"].decode() for field in fields})


def _with_kinds(reading: Reading, config: DataConfig, steps: bool, timed: Mapping[str, bool] | None) -> Sequences:
    """The sequences: the kind of a column is the user's, or else its reader's, or else inferred from its values.

    For a trained model only its own columns have a kind: those of the ``timed``.
    """
    later = timed is not None
    names = [name for name in reading.table.column_names if name not in reading.dropped]
    used = reading.table.select([name for name in names if timed is None or name in timed or name in config.kinds])
    kinds = {field.name: field.metadata[b"kind"].decode() for field in used.schema if b"kind" in (field.metadata or {})}
    if config.order in config.inputs:
        kinds[config.order] = "elapsed"
    in_steps = steps or (reading.cadence is not None and reading.cadence.regular)
    kinds |= kinds_of_whole_numbers(used, () if steps else config.target, kinds, in_steps=in_steps)
    for name, kind in config.kinds.items():
        absent = later and name not in used.column_names  # data for a trained model may lack a column
        if name not in reading.dropped and not absent:
            kinds[name] = kind
    kinds = infer_kinds(used, kinds, reading.origin)
    left = [name for name in used.column_names if name not in kinds]
    reading = reading.without({name: str(unusable(used.column(name))) for name in left})
    if not kinds and not later:
        reasons = "; ".join(f"{name!r} {why}" for name, why in reading.dropped.items())
        raise DataError(f"no column is left to learn from: {reasons}", file=reading.origin)
    return Sequences(
        reading.table,
        kinds,
        reading.origin,
        dropped=dict(reading.dropped),
        remarks=reading.remarks,
        reader=reading.reader,
        settled=reading.settled,
        cadence=reading.cadence,
    )
