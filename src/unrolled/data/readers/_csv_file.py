"""A text table as Arrow reads it; where Arrow fails or guesses, the error names the row and the column."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.csv

from unrolled.data.io.mapped import copied
from unrolled.data.readers._dialect import shown
from unrolled.data.readers._layout import Layout
from unrolled.data.readers._names import begin_at, other_encoding
from unrolled.errors import DataError, counted, named

__all__ = ["EMPTY", "CsvFile"]

EMPTY = ("", "NA", "N/A", "null", "NULL")
_BLOCKS = (1 << 23, 1 << 28, 2**31 - 1)  # a row must fit into a block; nearly all fit into the first
_ASCII = bytes(range(0x80)) + b"?" * 0x80
_TITLES = 20  # lines that may stand before a header
_RAGGED = "Expected "


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A text table that Arrow can read.

    Attributes:
        layout: what divides it.
        origin: how errors name it.
        missing: cells that are missing values in every column.
    """

    layout: Layout
    origin: str
    missing: tuple[str, ...] = EMPTY

    def read(self, texts: Sequence[int] = (), only: Sequence[int] = ()) -> pa.Table:
        """The columns, named by number.

        Args:
            texts: columns that are kept as texts.
            only: the columns to read; empty for all.

        Raises:
            DataError: a row has too many or too few cells, a row never ends, or a byte in ``texts`` is not UTF-8.
        """
        try:
            return self._parse(texts, only, None)
        except pa.ArrowInvalid as error:
            raise self._error(error) from None

    def error(self, index: int, row: int, message: str, hint: str | None = None) -> DataError:
        """The error about the cell in column ``index``, row ``row`` (from 0)."""
        return DataError(message, file=self.origin, row=row + 1, column=self.layout.names[index], hint=hint)

    def not_utf8(self, index: int, column: pa.ChunkedArray) -> DataError:
        """The error about the first cell of a binary column that is not UTF-8.

        Raises:
            AssertionError: every cell is.
        """
        row = 0
        for chunk in column.chunks:
            for scalar in chunk:
                cell = scalar.as_py() or b""
                try:
                    cell.decode("utf-8")
                except UnicodeDecodeError as error:
                    hint = windows_hint(cell) or other_encoding()
                    return self.error(index, row, f"byte 0x{cell[error.start]:02x} is not UTF-8", hint)
                row += 1
        raise AssertionError("pyarrow makes a column binary only where a cell is not UTF-8")

    def _parse(self, texts: Sequence[int], only: Sequence[int], ragged: Callable[[Any], str] | None) -> pa.Table:
        dialect, names = self.layout.dialect, self.layout.names
        parse = pa.csv.ParseOptions(
            delimiter=dialect.sign,
            quote_char=dialect.quote or False,
            double_quote=not dialect.escaped,
            escape_char="\\" if dialect.escaped else False,
            newlines_in_values=dialect.quote is not None,
            ignore_empty_lines=len(names) > 1,  # in a single column, an empty line is an empty cell
            invalid_row_handler=ragged,
        )
        convert = pa.csv.ConvertOptions(
            null_values=[*self.missing],
            strings_can_be_null=True,
            column_types={str(index): pa.string() for index in texts},
            include_columns=[str(index) for index in only],
        )
        for block in _BLOCKS:
            read = pa.csv.ReadOptions(
                block_size=block,
                column_names=[str(index) for index in range(len(names))],  # valid names, whatever the header holds
                skip_rows_after_names=self.layout.headers,
                use_threads=ragged is None,  # Arrow numbers rows only if it reads them in order
            )
            try:
                return pa.csv.read_csv(pa.BufferReader(self.layout.data), read, parse, convert)
            except pa.ArrowInvalid as error:
                if "straddling" not in str(error) or block == _BLOCKS[-1]:
                    raise
        raise AssertionError("unreachable: the last block returns or raises")

    def _error(self, error: pa.ArrowInvalid) -> DataError:
        reason = str(error).removeprefix("CSV parse error: ")
        if reason.startswith(_RAGGED):
            return self._ragged()
        if "UTF8" in reason:  # in a column that the user declared a text; Arrow gives the bytes of others
            for index, column in enumerate(self._parse((), (), None).columns):
                if pa.types.is_binary(column.type):
                    return self.not_utf8(index, column)
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
        plain = replace(self, layout=replace(self.layout, data=copied(bytes(self.layout.data).translate(_ASCII))))
        with contextlib.suppress(pa.ArrowInvalid):
            plain._parse((), (), seen)
        row = rows[0].number - self.layout.headers
        separator = shown(self.layout.dialect.separator)
        hint = f"the separator is {separator}; put quotes around a text that contains it"
        if row <= _TITLES and rows[0].actual_columns > rows[0].expected_columns:
            begins = self.layout.begins
            above = begin_at(begins) if begins else f"{named('skip')} leaves out lines before the header"
            hint = f"the separator is {separator}; {above}"
        return DataError(
            f"has {counted(rows[0].actual_columns, 'cell')}, but the header has {rows[0].expected_columns}",
            file=self.origin,
            row=row,
            hint=hint,
        )


def windows_hint(cell: bytes) -> str:
    """The hint for bytes that stand for curly quotes, dashes or € in the encoding of Windows; empty for others."""
    return f"try {named('text_encoding')} cp1252" if any(0x80 <= code <= 0x9F for code in cell) else ""
