"""What the first lines of a text show: a table, or not.

A text must never be read as a table by accident: prose has commas too, and sometimes as many on each line.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence

from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._dialect import Dialect
from unrolled.data.readers._names import lines_above

__all__ = ["first_lines", "like_table"]

_SURE = 70
_LINES = 200  # lines that are looked at
_SEPARATORS = ("\t", ";", ",", "|", "::")
_NUMBER = re.compile(r"\s*[-+]?[$€£]?(\d[\d.,' ]*|\.\d+)([eE][-+]?\d+)?\s*%?\s*")
_NAME = re.compile(r"\s*[^\W\d_](?:[\w .:/()\[\]%°#-]{0,38}[\w)\]%])?\s*|")
_LETTERS = 30  # characters of a cell that may be a label
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def first_lines(beginning: Beginning) -> list[str]:
    r"""The first whole lines, at most 200; none if the file is binary.

    Example:
        >>> first_lines(Beginning("a", b"one\r\ntwo\n"))
        ['one', 'two']
    """
    data = beginning.data
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    if encoding != "utf-16" and re.search(rb"[\0-\x08\x0e-\x19]", data):
        return []
    lines = data.decode(encoding, "replace").replace("\r\n", "\n").split("\n")
    if not beginning.whole or not lines[-1]:
        lines.pop()
    return lines[:_LINES]


def like_table(lines: Sequence[str]) -> int:
    """How much the ``lines`` look like a table whose first line names the columns: 0, 30 (perhaps) or 70.

    Example:
        >>> like_table(["day,load", "Mon,3.5", "Tue,4.0"]), like_table(["Hello, you.", "Well, me.", "So, so."])
        (70, 0)
    """
    filled = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(filled) < 2:
        return 0
    rows, separator = _rows(filled)
    if not rows:
        return max(_like_numbers(filled), _below_titles(filled))
    header, *body = rows
    columns = list(zip(*body, strict=True))
    numbers = [all(_NUMBER.fullmatch(cell) for cell in column if cell.strip()) for column in columns]
    labels = list(map(_labels, columns, header))
    named = all(_NAME.fullmatch(name) for name in header) and len({*header}) == len(header) and any(header)
    blanks = sum(cell.startswith(" ") for row in rows for cell in row[1:]) / sum(len(row) - 1 for row in rows)
    prose = blanks > 0.3 and separator in ",;"  # a comma and a blank
    if named and len(body) > 1 and (all(map(max, numbers, labels)) if prose else any(numbers + labels)):
        return 70
    headless = any(number and _NUMBER.fullmatch(name) for number, name in zip(numbers, header, strict=True))
    return 30 if separator not in ",|;" or (headless and (len(body) > 1 or all(numbers))) else 0


def _rows(lines: list[str]) -> tuple[list[list[str]], str]:
    """The cells of each line, by the separator that cuts all lines into the same number of at least two cells."""
    found: tuple[list[list[str]], str] = ([], "")
    for separator in _SEPARATORS:
        rows = list(_cut(lines, separator))
        width = len(rows[0])
        if width > max(1, len(found[0][0]) if found[0] else 0) and all(len(row) == width for row in rows):
            found = rows, separator
    return found


def _cut(lines: list[str], separator: str) -> Iterator[list[str]]:
    if len(separator) > 1:
        return (line.split(separator) for line in lines)
    try:
        return iter(list(csv.reader(lines, delimiter=separator)))
    except csv.Error:
        return (line.split(separator) for line in lines)


def _labels(column: Sequence[str], name: str) -> bool:
    """Whether the cells are labels: few that come again, none of them the name of the column."""
    short = all(len(cell) <= _LETTERS for cell in column)
    return short and len(column) > 3 and len({*column}) <= len(column) / 2 and name not in column


def _like_numbers(lines: list[str]) -> int:
    """30 if blanks divide the lines below the first into as many parts, and some part is a number in each of them."""
    first, *rows = [line.split() for line in lines]
    width = {len(row) for row in rows}
    if len(width) != 1 or len(rows) < 4:
        return 0
    numbers = [all(map(_NUMBER.fullmatch, column)) for column in zip(*rows, strict=True)]
    headed = any(numbers) and max(width) > 1 and max(width) - len(first) in (0, 1)
    return 30 if headed or (all(numbers) and len(first) in width) else 0


def _below_titles(lines: list[str]) -> int:
    """30 if the lines look like a table below a few titles."""
    for separator in ("\t", ";", ","):
        above = lines_above("\n".join(lines), Dialect(separator))
        rows = list(_cut(lines[above:], separator)) if above else []
        if len(rows) > 4 and len({len(row) for row in rows}) == 1 and like_table(lines[above:]) >= _SURE:
            return 30
    return 0
