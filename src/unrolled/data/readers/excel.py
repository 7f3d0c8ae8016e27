"""Workbooks: the first sheet of an Excel or OpenDocument file, or the one that the option ``sheet`` names.

Its cells go through the reader of CSV, so that numbers, dates and missing values mean the same in both.
"""

from __future__ import annotations

import csv
import datetime
import importlib.util
import io
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.config import Part, option
from unrolled.data.config import DataConfig
from unrolled.data.io.mapped import copied, map_file
from unrolled.data.io.unpacking import Beginning, check_archive
from unrolled.data.readers._delimited import read_delimited
from unrolled.data.readers.reader import REMARK, Reader, remarks_of
from unrolled.errors import DataError, MissingExtra, did_you_mean, named, reason_of

__all__ = ["read_excel"]

_TITLES = 10  # lines above a header at most
_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of old Office files


class Options(Part):
    """The option of workbooks."""

    sheet: str | None = option(
        None, "The sheet of a workbook. Default: the first one.", also=("sheet_name", "worksheet")
    )


def read_excel(path: Path, config: DataConfig) -> pa.Table:
    """The table in one sheet. Its first line names the columns; empty lines and a title above it are left out.

    Raises:
        DataError: the file is missing, empty, damaged, protected by a password, or unpacks to too much; it has no such
            sheet; or as in `unrolled.data.readers._delimited.read_delimited`.
        MissingExtra: python-calamine is not installed.
    """
    if importlib.util.find_spec("python_calamine") is None:
        raise MissingExtra("python-calamine", "excel", "a workbook")
    origin = str(path)
    rows, remarks = _sheet(path, config.of("reader", "excel").sheet)
    title, rows = _without_title([row for row in rows if any(cell != "" for cell in row)])
    if not rows:
        raise DataError("has no rows in this sheet", file=origin, hint=f"choose another with {named('sheet')}")
    if title:
        remarks.append(f"the title {title[:40]!r} above the table is left out")
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([_written(cell) for cell in row] for row in rows)
    config = config.model_copy(update={"separator": None, "decimal": None})  # those of this CSV are known
    table = read_delimited(copied(written.getvalue().encode("utf-8", "replace")), origin, config, ",")
    remarks += remarks_of(table)
    said = {**(table.schema.metadata or {}), REMARK: "\n".join(remarks)}
    return table.replace_schema_metadata(said) if remarks else table


def _sheet(path: Path, name: str | None) -> tuple[list[list[Any]], list[str]]:
    """The cells of a sheet, and remarks."""
    from python_calamine import CalamineError, CalamineWorkbook

    data = map_file(path)
    if bytes(data[: min(2, data.size)]) == b"PK":
        check_archive(path)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            known = list(book.sheet_names)
            if name is not None and name not in known:
                raise DataError(f"has no sheet {name!r}.{did_you_mean(name, known)}", file=str(path))
            if not known:
                raise DataError("has no sheets", file=str(path))
            chosen = known[0] if name is None else name
            rows = book.get_sheet_by_name(chosen).to_python(skip_empty_area=True)
    except (CalamineError, OSError, ValueError) as error:
        reason = reason_of(error, 100)
        raise DataError(f"is not a workbook that can be read: {reason}", file=str(path)) from None
    others = [other for other in known if other != chosen]
    said = f"the sheet {chosen!r} is read; others: {', '.join(others[:5])} ({named('sheet')} chooses one)"
    return rows, [said] if others and name is None else []


def _without_title(rows: list[list[Any]]) -> tuple[str, list[list[Any]]]:
    """The titles, which are first lines with one cell at most above lines with several; and the other lines."""
    filled = [sum(cell != "" for cell in row) for row in rows[: _TITLES + 1]]
    count = next((index for index, cells in enumerate(filled) if cells > 1), 0)
    titles = [str(cell) for row in rows[:count] for cell in row if cell != ""]
    return "; ".join(titles), rows[count:] if titles else rows


def _written(cell: Any) -> str:
    """A cell as CSV has it."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, datetime.timedelta):
        return str(cell.total_seconds())
    return cell.isoformat(" ") if isinstance(cell, datetime.datetime) else str(cell)


def _recognises(beginning: Beginning) -> int:
    book = any(name.startswith("xl/") for name in beginning.members)
    other = beginning.data.startswith(_OLE) or "mimetype" in beginning.members
    return 100 if book or (other and beginning.name.lower().endswith((".xls", ".ods"))) else 0


MEMBER = Reader(_SUFFIXES, read_excel, Options=Options, recognises=_recognises, tabular=True, headed=True)
