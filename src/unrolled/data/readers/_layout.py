"""Where the rows of a text table start, what divides them, and what their columns are called."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.number_forms import like_a_value, number_in
from unrolled.data.readers._dialect import BLANKS, SEPARATORS, Dialect, Sample, best_separator, named_separator, shown
from unrolled.data.readers._names import (
    begin_at,
    check_given,
    check_header,
    check_named,
    free_name,
    lines_above,
    looks_like_data,
)
from unrolled.data.readers._orange import says_kinds_and_roles
from unrolled.data.readers._prepared import one_sign, without_blanks_around_quotes, without_lines
from unrolled.data.readers._quotes import holds, scan
from unrolled.errors import DataError, counted, named

__all__ = ["Layout", "find_layout", "settle_quotes"]

_SAMPLE = 1 << 16
_LINE_END = re.compile(rb"\r\n?|\n")
_SEPARATES = re.compile(r"sep=(.{1,3})\r?$")
_RULE = re.compile(r":?-{2,}:?")


@dataclass(frozen=True, slots=True)
class Layout:
    """A text table that Arrow can read.

    Attributes:
        data: its rows, from the header on, divided by the one character ``dialect.sign``.
        dialect: what divided them in the file.
        names: of the columns.
        headers: rows before the first one that is data.
        aside: column -> why it is left out unless it is chosen.
        remarks: what the user should know.
        sample: the cells of the first rows behind the header.
        answer: the column that the file marks as its class.
        begins: how many lines of the file come before those that have as many cells as most; 0 if none does.
        without_first: what to do if the first row is no data.
    """

    data: pa.Buffer
    dialect: Dialect
    names: list[str]
    headers: int
    aside: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    sample: tuple[list[str], ...] = ()
    begins: int = 0
    answer: str = ""
    without_first: str = ""


def find_layout(data: pa.Buffer, origin: str, likely: str | None, config: DataConfig) -> Layout:
    """The layout of ``data``.

    Args:
        data: UTF-8 without a byte-order mark.
        origin: how errors name the data.
        likely: the separator that the name of the file promises.
        config: what the user says about the lines: ``header``, ``separator``, ``quote``, ``skip``.

    Raises:
        DataError: the header is empty, names a column twice, or looks like data.
    """
    skipped, behind = (*map(int, (config.skip or "0").split(",")), 0)[:2]
    whole, data = data, _trimmed(without_lines(data, skipped, origin))
    data, told = _separator_line(data)
    given = named_separator(config.separator) if config.separator else told
    data, dropped = _without_comments(data, given, config)
    above = len(_LINE_END.findall(memoryview(whole)[: _trimmed(data).address - whole.address]))
    without_first = f"if the row holds units, leave it out with {named('skip')} {skipped},{behind + 1}"
    if config.header:
        without_first = f"if it is the header of the file, leave it out with {named('skip')} {above + 1}"
    dialect = Dialect(given or ",", None if config.quote == "none" else config.quote or '"')
    sample = _sample(data)
    config = _with_numbered_names(config, sample, dialect, given, likely)
    if config.quote is None:
        dialect = replace(dialect, quote=_quote(sample, dialect, given, likely, config))
    dialect = replace(dialect, separator=given or _separator(sample, dialect, origin, likely, config))
    begins = lines_above(sample.text, dialect)
    if begins:
        begins += above
    elif not (given or config.header) and dialect.separator not in sample.text.partition("\n")[0]:
        _refuse_titles(sample, above, origin)
    data = _trimmed(one_sign(without_blanks_around_quotes(data, dialect), dialect))
    data, empty = _without_empty_rows(data, dialect.sign.encode())
    layout = Layout(data, dialect, [], int(not config.header) + behind, begins=begins, without_first=without_first)
    layout = _with_names(layout, sample, origin, config)
    comments = counted(dropped, "line that starts with # is", "lines that start with # are")
    remarks = [f"{comments} left out before the header"] if dropped else []
    if empty:
        remarks.append(f"{counted(empty, 'empty row at the end is', 'empty rows at the end are')} left out")
    if likely not in (None, given, layout.dialect.separator):
        remarks.append(
            f"the separator is {shown(layout.dialect.separator)}, not {shown(likely)} as the name of the file says"
        )
    elif layout.dialect.separator not in SEPARATORS and not given:
        remarks.append(f"the separator is {shown(layout.dialect.separator)}; {named('separator')} overrides it")
    return replace(layout, remarks=(*remarks, *layout.remarks))


def _trimmed(data: pa.Buffer) -> pa.Buffer:
    while data.size and data[0] in b"\r\n":
        data = data.slice(1)
    while data.size > 1 and data[data.size - 2] in b"\r\n" and data[data.size - 1] in b"\r\n":
        data = data.slice(0, data.size - 1)
    return data


def _without_empty_rows(data: pa.Buffer, sign: bytes) -> tuple[pa.Buffer, int]:
    """The data without the rows at its end that have no letters between their separators, and how many these were."""
    tail = bytes(data[max(0, data.size - _SAMPLE) :])
    lines = tail.splitlines(keepends=True)
    count = next((n for n, line in enumerate(reversed(lines)) if line.strip(sign + b" \t\r\n") or sign not in line), 0)
    end = data.size - sum(map(len, lines[len(lines) - count :]))
    return (_trimmed(data.slice(0, end)), count) if count else (data, 0)


def _sample(data: pa.Buffer) -> Sample:
    text = bytes(data[: min(_SAMPLE, data.size)])
    if data.size > _SAMPLE and (end := max(text.rfind(b"\n"), text.rfind(b"\r"))) > 0:
        text = text[:end]
    return Sample(text.decode("utf-8", "surrogateescape"))


def _refuse_titles(sample: Sample, before: int, origin: str) -> None:
    """Refuse a first line that nothing divides, as it would be the only column, where most lines below are divided."""
    for separator in ("\t", ";", ","):
        if above := lines_above(sample.text, Dialect(separator)):
            what = f"its first line is not divided, but the others are, by {shown(separator)}"
            raise DataError(what, file=origin, hint=f"if it is a title, {begin_at(before + above)}")


def _with_numbered_names(
    config: DataConfig, sample: Sample, dialect: Dialect, given: str | None, likely: str | None
) -> DataConfig:
    """With column1, column2 and so on as the header, where the user says that there is none."""
    if config.header != ("none",):
        return config
    width = len(sample.rows(replace(dialect, separator=given or best_separator(sample, dialect, likely)), 1)[0])
    return config.model_copy(update={"header": tuple(f"column{place + 1}" for place in range(width))})


def _separator_line(data: pa.Buffer) -> tuple[pa.Buffer, str | None]:
    """The data without a first line ``sep=;``, which Excel writes and reads, and the separator that it names."""
    line = bytes(data[: min(16, data.size)]).split(b"\n")[0].split(b"\r")[0]
    told = _SEPARATES.match(line.decode("latin-1").strip('"'))
    return (_trimmed(data.slice(len(line))), told[1].strip("\r") or None) if told else (data, None)


def _without_comments(data: pa.Buffer, given: str | None, config: DataConfig) -> tuple[pa.Buffer, int]:
    """The data from its header on, and how many lines that start with ``#`` stood before it.

    The last of them is the header where it divides as the next line does, and that line holds only numbers; the header
    of genome tables starts with ``#`` too.
    """
    start = bytes(data[: min(_SAMPLE, data.size)])
    if not start.startswith(b"#"):
        return data, 0
    lines = start.splitlines(keepends=True)
    count = next((index for index, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
    texts = [line.decode("utf-8", "surrogateescape").rstrip("\r\n") for line in lines[: count + 1]]
    if count == len(lines):
        return data, 0
    rest = Sample(
        "\n".join(line.decode("utf-8", "surrogateescape").rstrip("\r\n") for line in lines[count : count + 50])
    )
    separator = given or best_separator(rest, Dialect(","))
    width = len(rest.rows(Dialect(separator), 1)[0])
    if width == 1:
        return data, 0  # a column of texts may start with #
    if config.header:  # a first cell may be #N/A
        widths = (len(row[0]) for text in texts[:count] if (row := Sample(text).rows(Dialect(separator), 1)))
        count = next((index for index, cells in enumerate(widths) if cells == width), count)
        return data.slice(sum(map(len, lines[:count]))), count
    last = Sample(texts[count - 1].lstrip("#").strip()).rows(Dialect(separator), 1)
    cells = last[0] if last else []
    if len(cells) == width and looks_like_data(rest.rows(Dialect(separator)), strict=False):
        text = start[sum(map(len, lines[: count - 1])) :]
        return data.slice(sum(map(len, lines[: count - 1])) + len(text) - len(text.lstrip(b"# \t"))), count - 1
    return data.slice(sum(map(len, lines[:count]))), count


def _quote(sample: Sample, dialect: Dialect, given: str | None, likely: str | None, config: DataConfig) -> str | None:
    """The sign around cells: the single quote where it holds all cells of a column, or the rows agree only with it.

    Rows that agree on another separator without it do not count: ``1,'EUR 2,5'`` has two cells between blanks.
    """
    if "'" not in sample.text:
        return dialect.quote
    separators: dict[str | None, str] = {}
    for quote in (dialect.quote, "'"):
        tried = replace(dialect, quote=quote)
        try:
            separator = given or _separator(sample, tried, "", likely, config)
            rows = sample.rows(replace(tried, separator=separator))
        except (csv.Error, DataError):  # the last try names what is wrong
            continue
        if len(rows) > 1 and len(rows[0]) > 1 and {len(row) for row in rows} == {len(rows[0])}:
            separators[quote] = separator
            words = [name for name in rows[0] if not like_a_value(name)]
            if quote != "'" and any(map(_in_single_quotes, (words, *zip(*rows[1:], strict=True)))):
                return "'"
    return "'" if separators.get("'") not in (None, separators.get(dialect.quote)) else dialect.quote


def _in_single_quotes(column: Sequence[str]) -> bool:
    """Whether all cells of a column, or all words of the header, are in single quotes; empty cells do not count."""
    filled = [cell for cell in column if cell]
    return bool(filled) and all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in filled)


def _separator(sample: Sample, dialect: Dialect, origin: str, likely: str | None, config: DataConfig) -> str:
    try:
        if not config.header:
            return best_separator(sample, dialect, likely)
        return check_named(sample, dialect, origin, likely, config)
    except csv.Error as error:
        raise DataError(f"has a header that cannot be read: {error}", file=origin) from None


def _with_names(layout: Layout, sample: Sample, origin: str, config: DataConfig) -> Layout:
    try:
        rows = sample.rows(layout.dialect)
    except csv.Error as error:
        raise DataError(f"has a header that cannot be read: {error}", file=origin) from None
    below = rows[layout.headers :]
    if below and len(below[0]) > 1 and any(below[0]) and all(not cell or _RULE.fullmatch(cell) for cell in below[0]):
        below = below[1:]  # as in a table in Markdown
        layout = replace(
            layout, headers=layout.headers + 1, remarks=("the line of dashes below the header is left out",)
        )
    layout = replace(layout, sample=tuple(below))
    if config.header:
        return replace(layout, names=check_given(config.header, below, origin, layout.without_first))
    names = list(rows[0]) if rows else []
    rows = [*rows[:1], *below]
    widths = {len(row) for row in rows[1:]}
    aside: dict[str, str] = {}
    nameless = None
    if widths == {len(names) + 1} and len(names):
        if all(not row[-1] for row in rows[1:]):
            names.append("")  # a separator behind the last cell of each row
        elif _named_rows(rows, layout.dialect):
            names.insert(0, "")  # R writes no name above the names of rows
            nameless = 0
    elif widths == {len(names) - 1} and len(names) > 2 and not names[-1]:
        names.pop()
    if layout.begins and 2 * sum(map(bool, names)) <= len(names):
        named_here = ", ".join(name for name in names if name)
        message = f"its first row names {sum(map(bool, names))} of {len(names)} columns: {named_here}"
        raise DataError(message, file=origin, hint=f"if it is a title, {begin_at(layout.begins)}")
    check_header(names, rows, origin)
    names = [name or free_name(index + 1, names) for index, name in enumerate(names)]
    if nameless is not None:
        aside[names[nameless]] = "names the rows"
    if layout.headers == 1 and (roles := says_kinds_and_roles(rows)) and len(roles) == len(names):
        return _with_roles(replace(layout, names=names, aside=aside), roles)
    return replace(layout, names=names, aside=aside)


def _with_roles(layout: Layout, roles: Sequence[str]) -> Layout:
    """The layout without the two rows in which Orange says the kinds and the roles of the columns."""
    by_role = list(zip(layout.names, (role.split(" ")[0] for role in roles), strict=True))
    classes = [name for name, role in by_role if role == "class"]
    aside = {name: f"is marked as {role} in the file" for name, role in by_role if role not in ("", "class")}
    return replace(
        layout,
        headers=3,
        sample=layout.sample[2:],
        aside={**layout.aside, **aside},
        answer=classes[0] if len(classes) == 1 else "",
        remarks=(*layout.remarks, "the two rows below the header say what the columns are, as Orange writes them"),
    )


def _named_rows(rows: Sequence[Sequence[str]], dialect: Dialect) -> bool:
    """Whether rows that have one cell more than the header start with a name, as R writes them.

    The names are numbers from 1 on, or blanks or tabs divide the cells, as R does unless asked not to. The rows
    are alike: where the first of them is a header below a title, it has no numbers where the others have them.
    """
    first, *others = rows[1:]
    keys = [row[0] for row in rows[1:]]
    counted_up = keys in ([str(index + start) for index in range(len(keys))] for start in (0, 1))
    header = any(
        number_in(first[place], ".") is None and all(number_in(row[place], ".") is not None for row in others)
        for place in range(len(first))
    )
    usual = counted_up or dialect.separator in (BLANKS, "\t", " ")
    return usual and len({*keys}) == len(keys) and not (others and header)


def settle_quotes(layout: Layout, origin: str, config: DataConfig) -> Layout:
    """The layout with the way in which quotes are written, found by looking at each of them.

    Raises:
        DataError: a cell opens with a quote and does not end with one.
    """
    dialect, data = layout.dialect, layout.data
    single = len(layout.names) == 1
    found = scan(data, dialect, layout.headers, single)
    if not found.fault:
        return layout
    letters = f"the quotes are read as letters, since none closes a cell; {named('quote')} overrides it"
    if dialect.sign == "\t" and not found.closed and config.quote is None:
        return replace(layout, dialect=replace(dialect, quote=None), remarks=(*layout.remarks, letters))
    if holds(data, b'\\"') and not scan(data, replace(dialect, escaped=True), layout.headers, single).fault:
        return replace(layout, dialect=replace(dialect, escaped=True))
    if not found.closes:
        raise DataError(
            "a quote is opened here but never closed",
            file=origin,
            row=found.fault,
            hint=f"close it, or double it if it is text; with {named('quote')} none all quotes are letters",
        )
    raise DataError(
        "a cell opens with a quote, and text follows the quote that closes it",
        file=origin,
        row=found.fault,
        hint=f"write a quote within a quoted cell twice; with {named('quote')} none all quotes are letters",
    )
