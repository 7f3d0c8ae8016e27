"""Whether the rows of a table are steps in time, where nobody says so, and which columns they predict."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.config import DataConfig
from unrolled.data.io.column_names import names_a_part_of_time
from unrolled.data.io.number_types import is_number
from unrolled.data.tables.composed import with_date_of_numbers, with_key
from unrolled.data.tables.identifiers import identifiers
from unrolled.data.tables.opened import Reading
from unrolled.data.tables.row_layout import find_layout

__all__ = ["with_steps_found"]

_DAYS = 366  # most parts of a date: the days of a year


def with_steps_found(reading: Reading, config: DataConfig, steps: bool) -> Reading:
    """The reading with the options that its rows suggest settled, unless ``config`` says what the rows are.

    Args:
        reading: one value a cell; columns of dates are dates already.
        config: how it is read.
        steps: whether the rows are steps in any case.
    """
    if config.order or config.fields:
        return reading
    wanted = {*config.inputs, *config.kinds}
    found = find_layout(reading.table, config.target, reading.dropped, config.by, steps=steps, origin=reading.origin)
    if not found.settled and not any(pa.types.is_temporal(kind) for kind in reading.table.schema.types):
        made = with_date_of_numbers(reading.table, {*reading.dropped, *config.target})
        if made.remark:
            found = find_layout(made.table, config.target, reading.dropped, config.by, steps=steps)
            if found.settled:
                reading = replace(reading, table=made.table, remarks=(*reading.remarks, made.remark))
                reading = reading.without({name: why for name, why in made.dropped.items() if name not in wanted})
    settled = dict(found.settled)
    reading = replace(reading, table=with_key(reading.table, settled.get("by")))
    if "order" in settled and "inputs" not in settled and not (config.target or config.inputs):
        settled |= _without_parts_of_time(reading, (settled["order"], settled.get("by", "")))
    if "kinds" in settled:
        settled["kinds"] = {**settled["kinds"], **config.kinds}
    if config.inputs:
        settled.pop("inputs", None)
    return replace(reading, settled={**reading.settled, **settled}, remarks=(*reading.remarks, *found.remarks))


def _without_parts_of_time(reading: Reading, keys: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The target of a series of which some columns, such as ``weekday``, are known from the date: all others."""
    table = reading.table
    names = [
        field.name for field in table.schema if field.name not in {*keys, *reading.dropped} and is_number(field.type)
    ]
    names = [name for name in names if name not in identifiers(table.select([name]), ())]
    measured = tuple(name for name in names if not _is_part_of_time(table.column(name), name))
    return {"target": measured} if measured and len(measured) < len(names) else {}


def _is_part_of_time(column: pa.ChunkedArray, name: str) -> bool:
    """Whether a column holds a part of a date, such as the weekday: its name says so, and it has few whole numbers."""
    whole = pa.types.is_integer(column.type) and pc.count_distinct(column).as_py() <= _DAYS
    return whole and names_a_part_of_time(name)
