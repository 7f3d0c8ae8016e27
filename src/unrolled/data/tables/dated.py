"""Columns of a table that hold dates or times, however they are written, become Arrow's dates and timestamps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.config import DataConfig
from unrolled.data.encodings._cells import Cells, is_text, open_cells, plain
from unrolled.data.encodings.encoding import ENCODINGS, Where, has_time, traits_of
from unrolled.data.io.column_names import names_a_time
from unrolled.data.io.date_numbers import dates_in_numbers
from unrolled.data.io.dates import Dates, dates_in_texts
from unrolled.data.io.day_numbers import DateOrder
from unrolled.data.io.elapsed import counted_up
from unrolled.data.io.number_types import is_number
from unrolled.data.io.periods import dates_of_periods
from unrolled.errors import DataError, Origin, named

__all__ = ["Dated", "whole_seconds", "with_dates"]


@dataclass(frozen=True, slots=True)
class Dated:
    """A table whose dates are dates.

    Attributes:
        table: the table.
        order: the order of day and month that its texts show, if they leave it open in themselves.
        remarks: what the user should know about how dates were read.
    """

    table: pa.Table
    order: DateOrder | None
    remarks: tuple[str, ...]


def with_dates(table: pa.Table, config: DataConfig, origin: Origin, dropped: Collection[str] = ()) -> Dated:
    """Read the texts and numbers of ``table`` that are dates as dates.

    A column of texts holds dates if one form fits all of its cells. Numbers hold dates only in the column that orders
    the steps, in one with a kind for times, or in one whose name says so. Columns of other kinds that the user chose,
    and the one that names the sequences, stay as they are.

    Args:
        table: the table.
        config: ``order``, ``by``, ``kinds`` and ``date_order`` of the user.
        origin: how errors name the table.
        dropped: columns that are left out.

    Raises:
        DataError: nearly all cells of a column are dates and a few are not, or it is not clear how to read them; or
            the column that is to order the steps holds texts that are neither dates nor numbers.
    """
    order, remarks = config.date_order, []
    keys = {config.by, *(config.by or "").split(",")}
    for index, field in enumerate(table.schema):
        chosen = config.kinds.get(field.name)
        clock = chosen is not None and chosen in ENCODINGS and traits_of(chosen).clock
        if field.name in dropped or field.name in keys or (chosen is not None and not clock):
            continue
        if b"kind" in (field.metadata or {}):  # its reader knows better
            continue
        sure = clock or field.name == config.order or names_a_time(field.name)
        column = table.column(index)
        found = _dates(column, Where(origin, field.name), order, sure)
        if found is None:
            if field.name == config.order and is_text(plain(column).type):
                table = table.set_column(index, field.name, _in_order(column, field.name, origin))
            continue
        table = table.set_column(index, field.name, found.values)
        order = order or found.order
        if found.note:
            remarks.append(f"{field.name!r} is read {found.note}")
    return Dated(table, order, tuple(remarks))


def _dates(column: pa.ChunkedArray, where: Where, order: DateOrder | None, sure: bool) -> Dates | None:
    if isinstance(column.type, pa.BaseExtensionType):
        return dates_of_periods(column)
    if pa.types.is_duration(column.type):
        nanos = column.cast(pa.duration("ns"), safe=False).cast(pa.int64()).cast(pa.float64(), safe=False)
        return Dates(pc.divide(nanos, 1e9), note="in seconds")
    flat_type = column.type.value_type if has_time(column.type) else column.type
    value = flat_type.value_type if pa.types.is_dictionary(flat_type) else flat_type
    numeric = is_number(value)
    if not is_text(value) and not (numeric and sure):
        return None
    cells = open_cells(column, where, has_time(column.type))
    found = dates_in_numbers(cells.flat) if numeric else dates_in_texts(cells.flat, cells.error, order, sure=sure)
    if found is None:
        return None
    found = replace(found, values=whole_seconds(found.values))
    return found if cells.offsets is None else _in_lists(column, cells, found)


def whole_seconds(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Timestamps in seconds, if none has a fraction of one, so that none is written; anything else as it is."""
    if not pa.types.is_timestamp(times.type):
        return times
    try:
        return times.cast(pa.timestamp("s", times.type.tz))
    except pa.ArrowInvalid:
        return times


def _in_lists(column: pa.ChunkedArray, cells: Cells, found: Dates) -> Dates:
    values = pa.LargeListArray.from_arrays(
        pa.array(cells.offsets), found.values.combine_chunks(), mask=pc.is_null(column).combine_chunks()
    )
    return Dates(pa.chunked_array([values]), found.order, found.note)


def _in_order(column: pa.ChunkedArray, name: str, origin: Origin) -> pa.ChunkedArray:
    """Texts that can be sorted as times of the day or as numbers."""
    texts = plain(column)
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        pass
    if (seconds := counted_up(texts)) is not None:
        return seconds
    row = pc.index(pc.is_valid(texts), True).as_py()
    raise DataError(
        f"{texts[row].as_py()[:40]!r} is no date, time or number of a known form, so it cannot order the steps",
        file=origin,
        row=row + 1,
        column=name,
        hint=f"write dates as YYYY-MM-DD, or name another column with {named('order')}",
    )
