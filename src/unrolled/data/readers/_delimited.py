"""A strict reader of CSV and similar formats: what Arrow ignores or guesses is decided here, said, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.config import DataConfig
from unrolled.data.encodings._cells import Fail
from unrolled.data.encodings.encoding import ENCODINGS, traits_of
from unrolled.data.io.field_marks import ANSWER
from unrolled.data.io.number_forms import Sign, is_missing, readings
from unrolled.data.readers._csv_file import EMPTY, CsvFile
from unrolled.data.readers._first_read import first_read
from unrolled.data.readers._layout import find_layout
from unrolled.data.readers._listcells import in_groups, is_verbatim, parse_lists
from unrolled.data.readers._number_columns import Written, arrow_values, examined, settled_sign, spelled
from unrolled.data.readers._quotes import swallowed
from unrolled.data.readers._trimming import alike, trimmed, with_separators
from unrolled.data.readers._values import checked_floats, coded, far_value
from unrolled.data.readers.reader import DECIMAL, REMARK
from unrolled.errors import DataError, named

__all__ = ["read_cells", "read_delimited"]

_DIGITS = 3  # of a number below 1000
_MANY = 5  # columns that a remark lists
_GROUPED = 5  # so many cells with groups of three digits show that they are no lists
_THOUSANDS = re.compile(r"[^0-9]*[1-9][0-9]{0,2}(\.[0-9]{3})+[^0-9]*")
_THOUSAND, _SHORT = r"[0-9] [0-9]{3}", r"^\s*[-+]?[0-9]{1,2}\s"


def read_delimited(data: pa.Buffer, origin: str, config: DataConfig, separator: str | None = None) -> pa.Table:
    """Read a table whose first line names the columns, unless ``config.header`` does; types are inferred.

    Cells that are empty, NA, N/A, null or NULL are missing, and so is a blank line in a table with one column. Other
    blank lines are ignored. In a column of numbers, dates or times, further words such as ? or n/a are missing. Numbers
    may be written with a decimal comma, in groups of three digits, with a currency, in percent, or in brackets where
    they are negative; whole numbers with zeros before them stay texts. A text column whose cells are all lists becomes
    a list column. The metadata of the table say what was decided: ``REMARK`` and ``DECIMAL``.

    Args:
        data: UTF-8, which is checked here, without a byte-order mark.
        origin: how errors name the data.
        config: how to divide it; ``kinds`` says which columns are labels or texts, whatever their cells look like, and
            which are numbers.
        separator: what separates cells, as the name of the file promises; ``None``: the one that divides all rows into
            as many cells as the header. With ``config.header``, it divides the first row into a cell for each name.

    Raises:
        DataError: a row has too many or too few cells, a byte is not UTF-8, a number does not fit into 64 bits, the
            header is empty, holds data or names a column twice, a quote is never closed or closed within a cell, a few
            cells in a column of numbers (dates, times) are something else, or a number can be read in two ways.
    """
    layout = find_layout(data, origin, separator, config)
    verbatim = {index for index, name in enumerate(layout.names) if is_verbatim(name, config)}
    first = first_read(layout, origin, config, (*EMPTY, *config.na_values), sorted(verbatim))
    table, layout = first.table, first.file.layout
    if not table.num_rows:
        raise DataError("has a header but no rows", file=origin)
    reading = _Reading(first.file, config, verbatim, remarks=list(layout.remarks))
    for index, column in enumerate(table.columns):
        reading.columns[index] = reading.plain(index, column)
    reading.keep_codes(first.zeros)
    reading.read_numbers()
    reading.say_labels()
    marks = {name: {b"aside": why.encode()} for name, why in layout.aside.items()}
    if layout.answer:
        marks[layout.answer] = {ANSWER: b"the file marks it as its class"}
    fields = [
        pa.field(name, reading.columns[index].type, metadata=marks.get(name)) for index, name in enumerate(layout.names)
    ]
    told = {REMARK: reading.told(), DECIMAL: reading.decimal}
    return pa.table(list(reading.columns.values()), schema=pa.schema(fields, {k: v for k, v in told.items() if v}))


def read_cells(data: pa.Buffer, origin: str, config: DataConfig, separator: str | None = None) -> pa.Table:
    """The cells of a table as `read_delimited` divides it, all as texts to the letter.

    Raises:
        DataError: as in `read_delimited`.
    """
    layout = find_layout(data, origin, separator, config)
    table = first_read(layout, origin, config, ("",), range(len(layout.names))).table
    return pa.table([with_separators(column, layout.dialect) for column in table.columns], names=layout.names)


@dataclass(slots=True)
class _Reading:
    """The columns of a file while it is decided what they are."""

    file: CsvFile
    config: DataConfig
    verbatim: set[int]
    columns: dict[int, pa.ChunkedArray] = field(default_factory=dict)
    texts: dict[int, Written] = field(default_factory=dict)
    grouped: list[int] = field(default_factory=list)  # columns such as 12 345, a number or a list
    remarks: list[str] = field(default_factory=list)
    absent: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)  # word -> column -> cells, of all
    alike: dict[str, list[str]] = field(default_factory=dict)  # remark -> the columns of which it is made
    decimal: str = ""

    def plain(self, index: int, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """A column as Arrow reads it, checked; texts are examined."""
        if pa.types.is_binary(column.type):
            raise self.file.not_utf8(index, column)
        if pa.types.is_timestamp(column.type) and column.type.tz:  # Arrow keeps the instants, not the clocks
            column = self.file.read(texts=[index], only=[index]).column(0)
        if pa.types.is_floating(column.type):
            column, remark = checked_floats(self.file, index, column)
            self._say(index, remark)
            return column
        if not pa.types.is_string(column.type):
            return column
        layout, name = self.file.layout, self._name(index)
        if (row := swallowed(column, layout.dialect, len(layout.names))) is not None:
            lines = column[row].as_py().count("\n") + 1
            hint = f"double the quote that is text; with {named('quote')} none all quotes are letters"
            raise self.file.error(index, row, f"a quote takes {lines} lines into one cell", hint)
        column = trimmed(with_separators(column, layout.dialect), layout.data, layout.dialect)
        if not (index in self.verbatim or self._measured(name)) and in_groups(column):
            self.grouped.append(index)
            return column
        parsed = (
            column if self._measured(name) and in_groups(column) else parse_lists(column, index not in self.verbatim)
        )
        if parsed is not column or index in self.verbatim or name in self.config.ignore:
            return parsed
        self.texts[index] = found = self._examined(index, column, declared=self._measured(name))
        return found.texts

    def _examined(self, index: int, column: pa.ChunkedArray, *, declared: bool) -> Written:
        return examined(
            column, self._name(index), self._fail(index), declared=declared, first=self.file.layout.without_first
        )

    def keep_codes(self, zeros: Callable[[], bool]) -> None:
        """Keep whole numbers with zeros before them as texts."""
        whole = [index for index, column in self.columns.items() if pa.types.is_integer(column.type)]
        whole = [index for index in whole if not self._measured(self._name(index))]
        for index, column in (coded(self.file, whole) if whole and zeros() else {}).items():
            self.columns[index] = column
            self._say(index, "has numbers that start with 0, such as zip codes, and is kept as text")

    def read_numbers(self) -> None:
        """Make numbers of the columns of texts that are numbers, each with the decimal sign that fits."""
        self._read_grouped()
        written = {index: column for index, column in self.texts.items() if column.form == "numbers"}
        evidence = {column.signs[0] for column in written.values() if len(column.signs) == 1}
        told: Sign | None = self.config.decimal
        if "," in evidence or told == "," or any(column.differ for column in written.values()):
            evidence |= self._points(written, thousands="," in evidence or told == ",")
        elif told is None and self.file.layout.dialect.separator != ",":
            self._say_points()
        for index, column in written.items():
            sign = settled_sign(column, told, evidence, self.file.layout.dialect.separator)
            if sign is None:
                self._ask(index, pc.fill_null(column.texts, "").to_pylist())
            values, how = spelled(column, sign or ".", self._fail(index))
            self.columns[index] = values
            for one in how:
                self._say(index, f"is {one}")
            if sign == "," and column.signs == (",",):
                self.decimal = ","
            if sign == "." and column.differ and told is None and not evidence:
                self._say_point(index, pc.fill_null(column.texts, "").to_pylist())
        for index, column in self.texts.items():
            if column.form == "values":
                self.columns[index] = arrow_values(column.texts)
            if column.form != "text" and column.missing:
                self._say_missing(index, column)
        self.say_missing()
        for index, values in self.columns.items():
            self._say(index, far_value(values))

    def _read_grouped(self) -> None:
        """Take 12 345 for a number where another column shows that blanks divide thousands, or many cells here do."""
        if not self.grouped:
            return
        clear = any(pc.any(pc.match_substring_regex(one.texts, _THOUSAND)).as_py() for one in self.texts.values())
        for index in self.grouped:
            column, name = self.columns[index], self._name(index)
            cells = in_groups(column)
            if not clear and not (cells >= _GROUPED and pc.any(pc.match_substring_regex(column, _SHORT)).as_py()):
                row = pc.index(pc.match_substring_regex(column, _THOUSAND), True).as_py()
                hint = f"give {named('kinds')} {name}=number if it is one; write a list as [12, 345]"
                raise self._fail(index)(row, f"{column[row].as_py()!r} may be one number or a list of numbers", hint)
            self.texts[index] = found = self._examined(index, column, declared=False)
            self.columns[index] = found.texts

    def _points(self, written: dict[int, Written], *, thousands: bool) -> set[Sign]:
        """The signs that the columns show which Arrow reads with a decimal point.

        With ``thousands``, those in which each point may divide thousands are added to ``written``.
        """
        shown: set[Sign] = set()
        for index, column in self.columns.items():
            if not pa.types.is_floating(column.type) or index in self.texts:
                continue
            if not _in_thousandths(column):
                shown.add(".")
                continue
            texts = self.file.read(texts=[index], only=[index])[0]
            texts = pc.if_else(is_missing(texts), pa.scalar(None, texts.type), texts)  # such as nan
            pointed = texts.filter(pc.fill_null(pc.match_substring(texts, "."), False))
            if not len(pointed):
                continue
            if not pc.all(readings(pointed, ",")).as_py():
                shown.add(".")
            elif thousands and pc.all(readings(texts, ",")).as_py():
                written[index] = Written(texts, "numbers", (".", ","), differ=True)
        if thousands and "." in shown:  # the file writes both signs, so neither tells what 1.234 is
            for index in [index for index in written if index not in self.texts]:
                del written[index]
        return shown

    def _say_points(self) -> None:
        """Say which numbers have three decimals each, as numbers with a dot between thousands have."""
        rows = self.file.layout.sample
        for index, column in self.columns.items():
            if pa.types.is_floating(column.type) and index not in self.texts:
                self._say_point(index, [row[index] if index < len(row) else "" for row in rows])

    def _say_point(self, index: int, cells: list[str]) -> None:
        pointed = [cell for cell in cells if "." in cell]
        if pointed and all(_THOUSANDS.fullmatch(cell) for cell in pointed):
            one, sign = pointed[0], named("decimal")
            bare = [cell for cell in cells if "." not in cell and any(map(str.isdecimal, cell))]
            small = bare and all(sum(map(str.isdecimal, cell)) <= _DIGITS for cell in bare)
            if small and len(pointed) >= _GROUPED and self.file.layout.dialect.separator != ",":
                self._ask(index, cells)  # decimals would sometimes be fewer than three
            self._say(index, f"is read with a decimal point; if {one} means {one.replace('.', '')}, give {sign} ,")

    def say_labels(self) -> None:
        """Say which labels differ only in case or blanks."""
        for index, column in self.columns.items():
            if pa.types.is_string(column.type):
                self._say(index, alike(column))

    def _ask(self, index: int, cells: list[str]) -> None:
        """Refuse the first of the ``cells``, from the first row on, that can be read in two ways."""
        row, cell = next((row, text) for row, text in enumerate(cells) if "," in text or "." in text)
        sign = "," if "," in cell else "."
        other = "." if sign == "," else ","
        decimal = named("decimal")
        hint = f"give {decimal} {sign} if {sign!r} is the decimal sign, {decimal} {other} if it divides thousands"
        raise self._fail(index)(row, f"{cell!r} can be read in two ways", hint)

    def _say_missing(self, index: int, column: Written) -> None:
        counts = column.missing or {}
        listed = " or ".join(repr(word) for word in counts)
        self.absent.setdefault(listed, {})[self._name(index)] = sum(counts.values()), len(column.texts)

    def say_missing(self) -> None:
        """Say which words are missing values: in a line for each column, or in one for many."""
        for listed, found in self.absent.items():
            if len(found) < _MANY:
                lines = [(f"{name!r} has", f"{count} of {cells} cells") for name, (count, cells) in found.items()]
                self.remarks += [f"{has} {what} that are {listed}, read as missing" for has, what in lines]
            else:
                first = ", ".join(f"{name!r} ({count})" for name, (count, _) in list(found.items())[:_MANY])
                rest = f" and {len(found) - _MANY} more" if len(found) > _MANY else ""
                self.remarks.append(
                    f"{len(found)} columns have cells that are {listed}, read as missing: {first}{rest}"
                )

    def _say(self, index: int, remark: str) -> None:
        if remark:
            self.remarks.append(f"{self._name(index)!r} {remark}")
            self.alike.setdefault(remark, []).append(self._name(index))

    def told(self) -> str:
        """The remarks, a line each; one line for what is said of many columns."""
        lines = dict.fromkeys(self.remarks)
        for remark, names in self.alike.items():
            if len(names) >= _MANY:
                rest = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
                said = f"each of {len(names)} columns {remark}: {', '.join(map(repr, names[:_MANY]))}{rest}"
                theirs = [f"{name!r} {remark}" for name in names]
                lines = dict.fromkeys(said if line == theirs[0] else line for line in lines if line not in theirs[1:])
        return "\n".join(lines)

    def _name(self, index: int) -> str:
        return self.file.layout.names[index]

    def _measured(self, name: str) -> bool:
        kind = self.config.kinds.get(name, "")
        return kind in ENCODINGS and traits_of(kind).measured

    def _fail(self, index: int) -> Fail:
        return lambda row, message, hint: self.file.error(index, row, message, hint)


def _in_thousandths(column: pa.ChunkedArray) -> bool:
    """Whether all numbers have at most three decimals, so that each may be written as 1.234."""
    scaled = pc.multiply(column, 1000.0)
    return pc.all(pc.less(pc.abs(pc.subtract(scaled, pc.round(scaled))), 1e-6)).as_py() is not False
