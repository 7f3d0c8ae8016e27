"""How the lines of a text table are divided into cells, as a sample of its lines shows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unrolled.data.io.number_forms import like_a_value

__all__ = [
    "BLANKS",
    "FIRST",
    "INNER",
    "SEPARATORS",
    "Dialect",
    "Sample",
    "best_separator",
    "named_separator",
    "shown",
    "value_share",
]

SEPARATORS = (",", ";", "\t", "|")
BLANKS = "blanks"  # a run of blanks
FIRST = ("::", "\t", ";", "|", ",", " ", BLANKS, ":")  # of two that fit alike, a comma is the more likely decimal sign
_RARE = ("::", BLANKS, ":")  # only where the cells speak for them
_ENOUGH = {"::": 0.0, BLANKS: 0.3, ":": 0.5}  # share of cells that are values such as numbers
_NAMES = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " ", "blanks": BLANKS, "whitespace": BLANKS, r"\s+": BLANKS}
_ROWS = 200  # rows of a sample
_WORD = re.compile(r'"(?:[^"]|"")*"|\S+')
INNER = "\x1f"  # stands for a separator of several characters


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How the cells of a row are written.

    Attributes:
        separator: one character, several, or `BLANKS`.
        quote: the sign around a cell that holds a separator; ``None``: no sign is.
        escaped: a quote within such a cell is written ``\\"``, not doubled.
    """

    separator: str
    quote: str | None = '"'
    escaped: bool = False

    @property
    def sign(self) -> str:
        """The single character that stands for the separator once the data is prepared."""
        return self.separator if len(self.separator) == 1 else INNER


@dataclass(frozen=True, slots=True)
class Sample:
    """The first lines of a file, as text; a last line that is cut off is left out."""

    text: str

    def rows(self, dialect: Dialect, limit: int = _ROWS) -> list[list[str]]:
        """The first rows; empty ones are left out.

        Raises:
            csv.Error: a cell is longer than the module csv takes.
        """
        found: list[list[str]] = []
        for row in _split(self.text, dialect):
            if row and row != [""]:
                found.append([cell.strip() for cell in row])
            if len(found) == limit:
                break
        return found


def _split(text: str, dialect: Dialect) -> Iterator[list[str]]:
    lines = text.splitlines(keepends=True) if "\r" in text else text.split("\n")
    if dialect.separator == BLANKS:
        return (_words(line, dialect) for line in lines)
    if len(dialect.separator) > 1:
        lines = [line.replace(dialect.separator, INNER) for line in lines]
    lines = [line if line.endswith(("\n", "\r")) else line + "\n" for line in lines]
    return csv.reader(
        lines,
        delimiter=dialect.sign,
        quotechar=dialect.quote,
        quoting=csv.QUOTE_NONE if dialect.quote is None else csv.QUOTE_MINIMAL,
        escapechar="\\" if dialect.escaped else None,
        doublequote=not dialect.escaped,
        skipinitialspace=dialect.sign != " ",
    )


def _words(line: str, dialect: Dialect) -> list[str]:
    words = _WORD.findall(line) if dialect.quote else line.split()
    return [
        word[1:-1] if dialect.quote and len(word) > 1 and word[0] == word[-1] == dialect.quote else word
        for word in words
    ]


def named_separator(given: str) -> str:
    """The separator that a user names: the sign itself, or ``tab``, ``blank`` or ``blanks``."""
    return _NAMES.get(given.lower(), given)


def shown(separator: str) -> str:
    """A separator in a message."""
    return {"\t": "a tab", " ": "a blank", BLANKS: "a run of blanks"}.get(separator, repr(separator))


def best_separator(sample: Sample, dialect: Dialect, likely: str | None = None) -> str:
    """The separator that divides all rows of a sample into as many cells as its header has, more than one.

    If several do, it is the one with most cells in the header; then the one with most cells that look like numbers or
    dates. If none does, it is the one with most cells in the header, so that an error can name the row that differs.

    Args:
        sample: lines from the header on.
        dialect: the quotes.
        likely: the separator that the name of the file promises; it wins where it divides the header.
    """
    ranks: dict[str, tuple[float, ...]] = {}
    clear = (*SEPARATORS, "::")
    fallback, most = likely or ",", 1
    for separator in (*SEPARATORS, *_RARE):
        if separator.strip() and separator != BLANKS and separator not in sample.text:
            continue
        rows = sample.rows(Dialect(separator, dialect.quote, dialect.escaped))
        width = len(rows[0]) if rows else 0
        if separator == likely and width > 1:
            return separator
        if separator in SEPARATORS and width > most:
            fallback, most = separator, width
        if width > 1 and _agree(rows, width):
            values = value_share(rows[1:])
            if separator in SEPARATORS or (values >= _ENOUGH[separator] and len(rows) > 1):
                ranks[separator] = (separator in clear, width, values, -FIRST.index(separator))
    if not ranks:
        return fallback
    best = max(ranks, key=lambda separator: ranks[separator])
    if best not in clear and most > 1:  # a header that a usual separator divides has a row that differs
        return fallback
    return best


def _agree(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether all rows have as many cells as the header, or all have one more: names of rows, or a last separator."""
    widths = {len(row) for row in rows[1:]}
    return widths <= {width} or widths == {width + 1}


def value_share(rows: Sequence[Sequence[str]]) -> float:
    """The share of cells that look like numbers or dates, or stand for a missing value."""
    cells = [cell for row in rows for cell in row]
    return sum(map(like_a_value, cells)) / max(1, len(cells))
