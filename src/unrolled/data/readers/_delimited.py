"""CSV and its relatives, strictly: what pyarrow lets pass in silence is an error that names its row and column."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from unrolled.data.config import DataConfig
from unrolled.data.encodings.base import ENCODINGS, traits_of
from unrolled.data.io.mapped import copied
from unrolled.data.io.stray_cells import check_mixed
from unrolled.data.readers._listcells import parse_lists
from unrolled.errors import DataError, named

__all__ = ["read_delimited"]

_SEPARATORS = ",;\t|"
_EMPTY = ["", "NA", "N/A", "null", "NULL"]  # not NaN: a result that is no number is not a cell that was left out
_BLOCKS = (1 << 23, 1 << 28, 2**31 - 1)  # a row must fit into a block; nearly all do in the first
_RAGGED = re.compile(r"Expected (\d+) columns, got (\d+)")
_ASCII = bytes(range(0x80)) + b"?" * 0x80
_LATIN = "give --text-encoding latin-1, or what it is written in"


def read_delimited(data: pa.Buffer, origin: str, config: DataConfig, separator: str | None = None) -> pa.Table:
    """A table whose first line names the columns, if ``config.header`` does not; their types are found out.

    Cells that are empty, NA, N/A, null or NULL are missing, and so is a blank line where there is one column;
    elsewhere, and at either end, blank lines are nothing. A column of texts that are all lists becomes lists.

    Args:
        data: UTF-8, checked here, without a byte-order mark.
        origin: how errors name it.
        config: ``kinds`` says which columns are labels or texts, whatever they look like.
        separator: what stands between cells; ``None``: that of comma, semicolon, tab and bar which the header has most;
            without a header a blank may be it, and it is what gives the first row a cell for each name.

    Raises:
        DataError: a row is ragged, a byte is not UTF-8, a number does not fit into 64 bits, the header is empty or
            names a column twice, a quote is never closed, or a column holds numbers (dates, times) and a few others.
    """
    while data.size and data[0] in b"\r\n":
        data = data.slice(1)
    while data.size > 1 and data[data.size - 2] in b"\r\n" and data[data.size - 1] in b"\r\n":
        data = data.slice(0, data.size - 1)
    names, separator = _header(data, origin, separator, config)
    labels = [index for index, name in enumerate(names) if _is_spelt(name, config)]
    file = _File(data, origin, separator, names, int(not config.header))
    table = file.read(texts=labels)
    if not table.num_rows:
        raise DataError("has a header but no rows", file=origin)
    _check_end(table, data, origin)
    columns = [_column(file, index, table.column(index), config) for index in range(len(names))]
    return pa.table(columns, names=names)


@dataclass(frozen=True, slots=True)
class _File:
    data: pa.Buffer
    origin: str
    separator: str
    names: list[str]
    headers: int  # lines before the first row

    def read(self, texts: list[int], only: list[int] | None = None) -> pa.Table:
        """The columns (all, or ``only`` these), named by their numbers; those in ``texts`` stay texts."""
        try:
            return self._parse(texts, only, None)
        except pa.ArrowInvalid as error:
            raise self._error(error) from None

    def error(self, index: int, row: int, message: str, hint: str | None = None) -> DataError:
        """The error to raise about the cell in column ``index``, row ``row`` (from 0)."""
        return DataError(message, file=self.origin, row=row + 1, column=self.names[index], hint=hint)

    def _parse(self, texts: list[int], only: list[int] | None, ragged: Callable[[Any], str] | None) -> pa.Table:
        parse = pa.csv.ParseOptions(
            delimiter=self.separator,
            newlines_in_values=True,
            ignore_empty_lines=len(self.names) > 1,  # of a single column it is a row whose cell is empty
            invalid_row_handler=ragged,
        )
        convert = pa.csv.ConvertOptions(
            null_values=_EMPTY,
            strings_can_be_null=True,
            column_types={str(index): pa.string() for index in texts},
            include_columns=[str(index) for index in only or ()],
        )
        for block in _BLOCKS:
            read = pa.csv.ReadOptions(
                block_size=block,
                column_names=[str(index) for index in range(len(self.names))],  # safe, whatever the header holds
                skip_rows_after_names=self.headers,
                use_threads=ragged is None,  # Arrow numbers the rows only where it reads them in order
            )
            try:
                return pa.csv.read_csv(pa.BufferReader(self.data), read, parse, convert)
            except pa.ArrowInvalid as error:
                if "straddling" not in str(error) or block == _BLOCKS[-1]:
                    raise
        raise AssertionError("unreachable: the last block returns or raises")

    def _error(self, error: pa.ArrowInvalid) -> DataError:
        reason = str(error).removeprefix("CSV parse error: ")
        if _RAGGED.search(reason):
            return self._ragged()
        if "UTF8" in reason:  # in a column that is text by --kinds; without that, Arrow gives its bytes
            for index, column in enumerate(self._parse([], None, None).columns):
                if pa.types.is_binary(column.type):
                    return _not_utf8(self, index, column)
        if "straddling" in reason:
            return DataError(
                "has a row that never ends", file=self.origin, hint="is it a table? a text needs a name in .txt"
            )
        return DataError(f"cannot be read: {reason[:200]}", file=self.origin)

    def _ragged(self) -> DataError:
        rows: list[Any] = []

        def seen(row: Any) -> str:
            rows.append(row)
            return "error"

        # Arrow does not call us for a row that is no UTF-8: each of its other bytes is a sign that separates nothing.
        plain = replace(self, data=copied(bytes(self.data).translate(_ASCII)))
        with contextlib.suppress(pa.ArrowInvalid):
            plain._parse([], None, seen)
        return DataError(
            f"has {rows[0].actual_columns} cells, the header {rows[0].expected_columns}",
            file=self.origin,
            row=rows[0].number - self.headers,
            hint=f"cells are separated by {self.separator!r}; put quotes around text that holds one",
        )


def _header(data: pa.Buffer, origin: str, separator: str | None, config: DataConfig) -> tuple[list[str], str]:
    """The names of the columns, and what separates cells."""
    if config.header:
        return list(config.header), _separator(data, origin, separator, config)
    separator = separator or max(_SEPARATORS, key=lambda by: len(_first_row(data, origin, by)))
    names = _first_row(data, origin, separator)
    _check_header(names, origin)
    return [name or _free_name(index + 1, names) for index, name in enumerate(names)], separator


def _first_row(data: pa.Buffer, origin: str, separator: str) -> list[str]:
    # A byte that is no UTF-8 passes as a surrogate here; whether it is in the header or behind it, is seen later.
    text = io.TextIOWrapper(pa.BufferReader(data), "utf-8", errors="surrogateescape", newline="")
    try:
        return [name.strip() for name in next(csv.reader(text, delimiter=separator), [])]
    except csv.Error as error:
        raise DataError(f"has a header that cannot be read: {error}", file=origin) from None


def _separator(data: pa.Buffer, origin: str, separator: str | None, config: DataConfig) -> str:
    """What gives the first row a cell for each name of ``config.header``."""
    given = config.header
    counts = {by: len(_first_row(data, origin, by)) for by in separator or f"{_SEPARATORS} "}
    most = max(counts.values())
    # The one column that is left to a sequence's name is not the whole row.
    whole = len(given) > 1 or most == 1 or not (config.by or config.order)
    for by, count in counts.items():
        if count == len(given) and whole:
            return by
    why = f"--header names {_counted(len(given), 'column')}, and its first row has {_counted(most, 'cell')}"
    raise DataError(why, file=origin, hint="give each column a name, with commas between them")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _check_header(names: list[str], origin: str) -> None:
    if not any(names):
        raise DataError("has no header", file=origin, hint="its first line must name the columns")
    for index, name in enumerate(names):
        if "\0" in name:
            raise DataError("has a NUL in its header", file=origin, hint="if it is UTF-16, give --text-encoding utf-16")
        if any("\udc80" <= letter <= "\udcff" for letter in name):
            raise DataError(f"the name of column {index + 1} is not utf-8", file=origin, hint=_LATIN)
        if name and name in names[:index]:
            raise DataError("is twice in the header", file=origin, column=name, hint="rename one of them")


def _free_name(number: int, names: list[str]) -> str:
    name = f"column{number}"  # pandas leaves the name of its index empty
    while name in names:
        name += "_"
    return name


def _check_end(table: pa.Table, data: pa.Buffer, origin: str) -> None:
    """An opening quote without its closing one takes in all the rest of the file, and pyarrow lets it."""
    last = table.column(table.num_columns - 1)
    if pa.types.is_string(last.type) and "\n" in (last[-1].as_py() or ""):
        end = bytes(data[max(0, data.size - 64) :]).rstrip()
        if not end.endswith(b'"'):
            message = "a quote is opened here and never closed"
            raise DataError(message, file=origin, row=table.num_rows, hint="close it, or double a quote that is meant")


def _column(file: _File, index: int, column: pa.ChunkedArray, config: DataConfig) -> pa.ChunkedArray:
    if pa.types.is_binary(column.type):
        raise _not_utf8(file, index, column)
    if pa.types.is_floating(column.type):
        _check_overflow(file, index, column)
    if not pa.types.is_string(column.type):
        return column
    spelt = _is_spelt(file.names[index], config)
    opened = parse_lists(column, spaced=not spelt)
    if opened is column and not spelt:
        hint = f"correct it, leave it empty if it is missing, or give {named('kinds')} {file.names[index]}=category"
        check_mixed(column, lambda row, message: file.error(index, row, message, hint))
    return opened


def _is_spelt(name: str, config: DataConfig) -> bool:
    """Whether a column is said to be labels, of which 007 is one, or texts, of which "1 2" is one."""
    kind = config.kinds.get(name, "")
    return kind in ENCODINGS and (traits_of(kind).labels or traits_of(kind).verbatim)


def _not_utf8(file: _File, index: int, column: pa.ChunkedArray) -> DataError:
    row = 0
    for chunk in column.chunks:
        for scalar in chunk:
            cell = scalar.as_py() or b""
            try:
                cell.decode("utf-8")
            except UnicodeDecodeError as error:
                return file.error(index, row, f"byte 0x{cell[error.start]:02x} is not utf-8", _LATIN)
            row += 1
    raise AssertionError("pyarrow makes a column binary only where a cell is no UTF-8")


def _check_overflow(file: _File, index: int, column: pa.ChunkedArray) -> None:
    infinite = pc.fill_null(pc.is_inf(column), False)
    if not pc.any(infinite).as_py():
        return
    texts = file.read(texts=[index], only=[index]).column(0)
    written = pc.match_substring_regex(pc.fill_null(texts, ""), r"(?i)inf")  # an encoding decides about a true infinity
    row = pc.index(pc.and_not(infinite, written), True).as_py()
    if row >= 0:
        raise file.error(index, row, f"{texts[row].as_py()[:40]!r} is too large for a number", "the largest is 1.8e308")
