"""A strict reader of CSV and similar formats: faults that pyarrow ignores are errors that name row and column."""

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
from unrolled.data.encodings.encoding import ENCODINGS, traits_of
from unrolled.data.io.mapped import copied
from unrolled.data.io.stray_cells import check_mixed
from unrolled.data.readers._listcells import parse_lists
from unrolled.errors import DataError, named

__all__ = ["read_delimited"]

_SEPARATORS = ",;\t|"
_EMPTY = ["", "NA", "N/A", "null", "NULL"]  # not NaN: a result that is not a number is not an empty cell
_BLOCKS = (1 << 23, 1 << 28, 2**31 - 1)  # a row must fit into a block; nearly all fit into the first
_RAGGED = re.compile(r"Expected (\d+) columns, got (\d+)")
_ASCII = bytes(range(0x80)) + b"?" * 0x80


def read_delimited(data: pa.Buffer, origin: str, config: DataConfig, separator: str | None = None) -> pa.Table:
    """Read a table whose first line names the columns, unless ``config.header`` does; types are inferred.

    Cells that are empty, NA, N/A, null or NULL are missing, and so is a blank line in a table with one column. Other
    blank lines are ignored. A text column whose cells are all lists becomes a list column.

    Args:
        data: UTF-8, which is checked here, without a byte-order mark.
        origin: how errors name the data.
        config: ``kinds`` says which columns are labels or texts, whatever their cells look like.
        separator: what separates cells; ``None``: the one of comma, semicolon, tab and bar that splits the header into
            most cells. With ``config.header`` it may be a blank too, and it splits the first row into a cell for each
            name.

    Raises:
        DataError: a row has too many or too few cells, a byte is not UTF-8, a number does not fit into 64 bits, the
            header is empty or names a column twice, a quote is never closed, or a few cells in a column of numbers
            (dates, times) are something else.
    """
    while data.size and data[0] in b"\r\n":
        data = data.slice(1)
    while data.size > 1 and data[data.size - 2] in b"\r\n" and data[data.size - 1] in b"\r\n":
        data = data.slice(0, data.size - 1)
    names, separator = _header(data, origin, separator, config)
    verbatim = [index for index, name in enumerate(names) if _is_verbatim(name, config)]
    file = _File(data, origin, separator, names, int(not config.header))
    table = file.read(texts=verbatim)
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
        """The columns (all, or ``only`` these), named by number; those in ``texts`` are kept as texts."""
        try:
            return self._parse(texts, only, None)
        except pa.ArrowInvalid as error:
            raise self._error(error) from None

    def error(self, index: int, row: int, message: str, hint: str | None = None) -> DataError:
        """The error about the cell in column ``index``, row ``row`` (from 0)."""
        return DataError(message, file=self.origin, row=row + 1, column=self.names[index], hint=hint)

    def _parse(self, texts: list[int], only: list[int] | None, ragged: Callable[[Any], str] | None) -> pa.Table:
        parse = pa.csv.ParseOptions(
            delimiter=self.separator,
            newlines_in_values=True,
            ignore_empty_lines=len(self.names) > 1,  # in a single column, an empty line is an empty cell
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
                column_names=[str(index) for index in range(len(self.names))],  # valid names, whatever the header holds
                skip_rows_after_names=self.headers,
                use_threads=ragged is None,  # Arrow numbers rows only if it reads them in order
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
        if "UTF8" in reason:  # in a column that the user declared a text; Arrow gives the bytes of others
            for index, column in enumerate(self._parse([], None, None).columns):
                if pa.types.is_binary(column.type):
                    return _not_utf8(self, index, column)
        if "straddling" in reason:
            return DataError(
                "has a row that never ends", file=self.origin, hint="if it is a text, rename it to end in .txt"
            )
        return DataError(f"cannot be read: {reason[:200]}", file=self.origin)

    def _ragged(self) -> DataError:
        rows: list[Any] = []

        def seen(row: Any) -> str:
            rows.append(row)
            return "error"

        # Arrow does not report a row that is not UTF-8, so its other bytes are replaced by a harmless character.
        plain = replace(self, data=copied(bytes(self.data).translate(_ASCII)))
        with contextlib.suppress(pa.ArrowInvalid):
            plain._parse([], None, seen)
        return DataError(
            f"has {_counted(rows[0].actual_columns, 'cell')}, but the header has {rows[0].expected_columns}",
            file=self.origin,
            row=rows[0].number - self.headers,
            hint=f"the separator is {self.separator!r}; put quotes around a text that contains it",
        )


def _header(data: pa.Buffer, origin: str, separator: str | None, config: DataConfig) -> tuple[list[str], str]:
    """The names of the columns, and the separator of cells."""
    if config.header:
        return list(config.header), _separator(data, origin, separator, config)
    separator = separator or max(_SEPARATORS, key=lambda by: len(_first_row(data, origin, by)))
    names = _first_row(data, origin, separator)
    _check_header(names, origin)
    return [name or _free_name(index + 1, names) for index, name in enumerate(names)], separator


def _first_row(data: pa.Buffer, origin: str, separator: str) -> list[str]:
    # A byte that is not UTF-8 becomes a surrogate here; it is reported later, once its place is known.
    text = io.TextIOWrapper(pa.BufferReader(data), "utf-8", errors="surrogateescape", newline="")
    try:
        return [name.strip() for name in next(csv.reader(text, delimiter=separator), [])]
    except csv.Error as error:
        raise DataError(f"has a header that cannot be read: {error}", file=origin) from None


def _separator(data: pa.Buffer, origin: str, separator: str | None, config: DataConfig) -> str:
    """The separator that splits the first row into a cell for each name in ``config.header``."""
    given = config.header
    counts = {by: len(_first_row(data, origin, by)) for by in separator or f"{_SEPARATORS} "}
    most = max(counts.values())
    # With by or order a table needs a second column, so one name is too few for a row that can be split.
    whole = len(given) > 1 or most == 1 or not (config.by or config.order)
    for by, count in counts.items():
        if count == len(given) and whole:
            return by
    names = f"{named('header')} has {_counted(len(given), 'name')}"
    why = f"{names}, but the first row has {_counted(most, 'cell')}"
    raise DataError(why, file=origin, hint="give a name for each column, separated by commas")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _check_header(names: list[str], origin: str) -> None:
    if not any(names):
        raise DataError("has no header", file=origin, hint="its first line must name the columns")
    for index, name in enumerate(names):
        if "\0" in name:
            hint = f"if it is UTF-16, give {named('text_encoding')} utf-16"
            raise DataError("has a NUL character in its header", file=origin, hint=hint)
        if any("\udc80" <= letter <= "\udcff" for letter in name):
            raise DataError(f"the name of column {index + 1} is not UTF-8", file=origin, hint=_other_encoding())
        if name and name in names[:index]:
            raise DataError("appears twice in the header", file=origin, column=name, hint="rename one of them")


def _free_name(number: int, names: list[str]) -> str:
    name = f"column{number}"  # pandas writes its index without a name
    while name in names:
        name += "_"
    return name


def _check_end(table: pa.Table, data: pa.Buffer, origin: str) -> None:
    """Refuse a quote that is never closed: pyarrow reads the rest of the file into one cell."""
    last = table.column(table.num_columns - 1)
    if pa.types.is_string(last.type) and "\n" in (last[-1].as_py() or ""):
        end = bytes(data[max(0, data.size - 64) :]).rstrip()
        if not end.endswith(b'"'):
            message = "a quote is opened here but never closed"
            raise DataError(message, file=origin, row=table.num_rows, hint="close it, or double it if it is text")


def _column(file: _File, index: int, column: pa.ChunkedArray, config: DataConfig) -> pa.ChunkedArray:
    if pa.types.is_binary(column.type):
        raise _not_utf8(file, index, column)
    if (
        pa.types.is_timestamp(column.type) and column.type.tz
    ):  # Arrow keeps the instants, not the clocks that showed them
        column = file.read(texts=[index], only=[index]).column(0)
    if pa.types.is_floating(column.type):
        _check_overflow(file, index, column)
    if not pa.types.is_string(column.type):
        return column
    verbatim = _is_verbatim(file.names[index], config)
    parsed = parse_lists(column, spaced=not verbatim)
    if parsed is column and not verbatim:
        hint = f"correct it, leave the cell empty, or give {named('kinds')} {file.names[index]}=category"
        check_mixed(column, lambda row, message: file.error(index, row, message, hint))
    return parsed


def _is_verbatim(name: str, config: DataConfig) -> bool:
    """Whether the user declared a column as labels or names of sequences, such as 007, or texts, such as "1 2"."""
    if name == config.by:
        return True
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
                return file.error(index, row, f"byte 0x{cell[error.start]:02x} is not UTF-8", _other_encoding())
            row += 1
    raise AssertionError("pyarrow makes a column binary only where a cell is not UTF-8")


def _other_encoding() -> str:
    return f"try {named('text_encoding')} latin-1, or the encoding of the file"


def _check_overflow(file: _File, index: int, column: pa.ChunkedArray) -> None:
    infinite = pc.fill_null(pc.is_inf(column), False)
    if not pc.any(infinite).as_py():
        return
    texts = file.read(texts=[index], only=[index]).column(0)
    written = pc.match_substring_regex(
        pc.fill_null(texts, ""), r"(?i)inf"
    )  # a written infinity is checked by the encoding
    row = pc.index(pc.and_not(infinite, written), True).as_py()
    if row >= 0:
        raise file.error(index, row, f"{texts[row].as_py()[:40]!r} is too large for a number", "the largest is 1.8e308")
