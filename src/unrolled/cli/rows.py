"""Parses the lines of a stream: JSON, CSV with a header, CSV in the training file's order, or single values."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

from unrolled.errors import DataError, counted

if TYPE_CHECKING:
    from unrolled.api import Trained

__all__ = ["LONGEST_LINE", "Rows"]

LONGEST_LINE = 1 << 20  # bytes: memory stays bounded, whatever is sent
_SEPARATORS = ",;\t|"
_GROUPED = re.compile(r"[-+]?[1-9][0-9]{0,2}(\.[0-9]{3})+")
_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+")
_EMPTY = ("", "NA", "N/A", "null", "NULL")  # as in CSV files
_HERE = "standard input"


class Rows:
    """Turns lines into the rows that a session takes; the first line decides whether there is a header.

    Args:
        trained: the model; it knows the columns that a row must have, and those of its training file.
    """

    def __init__(self, trained: Trained) -> None:
        coder = trained.task.coder
        joined = {coder.target: coder.joined} if coder.joined else {}
        self._needed = list(coder.reads)
        self._trained = list(trained.config.columns)
        traits = {name: encoding.traits for name, encoding in coder.inputs.items() if name not in joined}
        self._verbatim = {name for name, of in traits.items() if of.verbatim}
        self._channels = {name for name, of in traits.items() if of.channels}
        self._numbers = {*coder.joined, *(name for name, of in traits.items() if of.measured)}
        self._comma = trained.config.data.decimal == ","
        self._by, self._sequence = trained.config.data.by, ""
        self._timed = trained.config.data.order is not None
        # A file without a header, whose columns the user named, may have blanks between its columns.
        signs = ";\t|," if self._comma else _SEPARATORS
        self._separators = f"{signs} " if trained.config.data.header else signs
        self._header: list[str] | None = None
        self._first = True

    def parse(self, line: bytes) -> dict[str, Any] | None:
        """The row that a line holds; ``None`` for a header and for an empty line.

        Raises:
            DataError: the line is too long, not UTF-8, not JSON though it starts with a brace, or has a wrong number of
                cells.
        """
        text = self._decoded(line)
        alone = self._needed[0] if len(self._needed) == 1 else None
        if not text or (alone not in self._verbatim and not text.strip()):  # a blank can be a token
            return None
        first, self._first = self._first, False
        if text.lstrip().startswith("{"):
            return self._of_one_sequence(dict(_json(text)))
        cells = self._cells(text)
        if first and set(self._needed) <= set(cells):
            self._header = cells
            return None
        if alone is not None and self._header is None and not 1 < len(self._trained) == len(cells):
            if alone in self._verbatim:
                return {alone: cells[0] if len(cells) == 1 and text.startswith('"') else text}
            if alone in self._channels:
                return {alone: text if text.lstrip().startswith("[") else cells}
        return self._row(cells)

    def _decoded(self, line: bytes) -> str:
        if len(line) > LONGEST_LINE:
            raise DataError(f"is longer than {LONGEST_LINE} bytes", file=_HERE)
        try:
            return line.decode("utf-8-sig" if self._first else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"byte 0x{line[error.start]:02x} is not UTF-8", file=_HERE) from None

    def _cells(self, text: str) -> list[str]:
        """The cells of a row of CSV, by the first separator that gives as many as there are columns."""
        sizes = {len(columns) for columns in self._orders()}
        splits = [_split(text, separator) for separator in self._separators]
        fitting = (cells for cells in splits if len(cells) in sizes or set(self._needed) <= set(cells))
        return next(fitting, splits[0])

    def _orders(self) -> list[list[str]]:
        return [self._header] if self._header is not None else [self._trained, self._needed]

    def _row(self, cells: list[str]) -> dict[str, Any]:
        for columns in self._orders():
            if len(columns) == len(cells):
                row = self._of_one_sequence(dict(zip(columns, cells, strict=True)))
                others = {name: cell.strip() for name, cell in row.items()} if self._timed else {}  # its time is one
                return others | {name: self._value(name, row[name]) for name in self._needed if name in row}
        expected = self._orders()[0]
        raise DataError(
            f"has {counted(len(cells), 'cell')}, expected {len(expected)}: {', '.join(expected)}", file=_HERE
        )

    def _of_one_sequence(self, row: dict[str, Any]) -> dict[str, Any]:
        """``row``, if it belongs to the sequence that the stream started with."""
        which = str(row.get(self._by or "", self._sequence))
        if self._sequence not in ("", which):
            hint = "use one stream for each sequence"
            message = f"{which!r} is another sequence than {self._sequence!r}, with which this stream started"
            raise DataError(message, file=_HERE, column=self._by, hint=hint)
        self._sequence = which
        return row

    def _value(self, name: str, cell: str) -> Any:
        """A cell as its encoding wants it, which reads texts itself."""
        if name in self._verbatim:
            return cell
        cell = cell.strip()
        if cell in _EMPTY:
            return None
        return self._number(name, cell) if self._comma and name in self._numbers else cell

    def _number(self, name: str, cell: str) -> str:
        """A number with a decimal comma, as the training file has it, with a point."""
        if _GROUPED.fullmatch(cell):
            message = f"{cell!r} can be read in two ways, since the training data has a decimal comma"
            raise DataError(message, file=_HERE, column=name, hint="write no points in numbers")
        return cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell


def _split(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", file=_HERE) from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON: {error}", file=_HERE, hint="write one object a line") from None
