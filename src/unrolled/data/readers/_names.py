"""The names of the columns of a text table: its first row, or those that the user gives."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence

from unrolled.data.config import DataConfig
from unrolled.data.io.number_forms import MISSING_WORDS, number_in
from unrolled.data.readers._dialect import BLANKS, FIRST, Dialect, Sample, named_separator, value_share
from unrolled.errors import DataError, named

__all__ = [
    "begin_at",
    "check_header",
    "check_named",
    "counted",
    "free_name",
    "lines_above",
    "looks_like_data",
    "other_encoding",
]

_ROWS = 20  # rows below a header that show what a column holds
_SEEN, _TITLES = 200, 20  # lines that are looked at, and that may stand above a header
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T].*)?")


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 cell, 2 cells."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def free_name(number: int, names: Sequence[str]) -> str:
    """A name for the nameless column ``number``, which is not one of ``names``."""
    name = f"column{number}"  # pandas writes its index without a name
    while name in names:
        name += "_"
    return name


def other_encoding() -> str:
    """The hint for a byte that is not UTF-8."""
    return f"try {named('text_encoding')} latin-1, or the encoding of the file"


def check_named(sample: Sample, dialect: Dialect, origin: str, likely: str | None, config: DataConfig) -> str:
    """The separator that divides the first row into a cell for each name in ``config.header``.

    Raises:
        DataError: none does.
    """
    given = config.header
    known = [named_separator(likely)] if likely else []
    counts: dict[str, int] = {}
    for by in (*known, *FIRST):
        rows = sample.rows(Dialect(by, dialect.quote), 1) if by in sample.text or by == BLANKS else []
        counts[by] = len(rows[0]) if rows else int(bool(sample.text))
    most = max(counts.values())
    # With by or order a table needs a second column, so one name is too few for a row that can be split.
    whole = len(given) > 1 or most == 1 or not (config.by or config.order)
    fitting = [by for by, count in counts.items() if count == len(given) and whole]
    tables = {by: sample.rows(Dialect(by, dialect.quote)) for by in fitting}
    agreeing = [by for by in fitting if len({len(row) for row in tables[by]}) == 1]
    if agreeing:
        return max(agreeing, key=lambda by: (by == likely, value_share(tables[by])))
    if fitting:
        return fitting[0]
    usual = (
        max(count for by, count in counts.items() if by not in ("::", BLANKS, ":"))
        if likely is None
        else counts[likely]
    )
    names = f"{named('header')} has {counted(len(given), 'name')}"
    why = f"{names}, but the first row has {counted(usual if usual > 1 else most, 'cell')}"
    raise DataError(why, file=origin, hint="give a name for each column, separated by commas")


def check_header(names: Sequence[str], rows: Sequence[Sequence[str]], origin: str) -> None:
    """Refuse a first row that cannot name the columns.

    Raises:
        DataError: it is empty, holds data, names a column twice, or is not UTF-8.
    """
    if not any(names):
        raise DataError("has no header", file=origin, hint="its first line must name the columns")
    for index, name in enumerate(names):
        if "\0" in name:
            hint = f"if it is UTF-16, give {named('text_encoding')} utf-16"
            raise DataError("has a NUL character in its header", file=origin, hint=hint)
        if any("\udc80" <= letter <= "\udcff" for letter in name):
            raise DataError(f"the name of column {index + 1} is not UTF-8", file=origin, hint=other_encoding())
    if looks_like_data(rows, strict=True):
        first = ", ".join(name for name in names[:5])
        more = ", …" if len(names) > 5 else ""
        raise DataError(
            f"its first row holds data, not names: {first}{more}",
            file=origin,
            hint=f"name its {counted(len(names), 'column')} with {named('header')}, as in "
            + ",".join(f"column{index + 1}" for index in range(min(len(names), 4)))
            + f"; {named('header')} none numbers them",
        )
    for index, name in enumerate(names):
        if name and name in names[:index]:
            hint = f"rename one of them; if the header has several lines, leave them out with {named('skip')} and name "
            hint += f"all columns with {named('header')}"
            raise DataError("appears twice in the header", file=origin, column=name, hint=hint)


def lines_above(text: str, dialect: Dialect) -> int:
    r"""How many lines stand above the first one that has as many cells as most lines; 0 if that is no header.

    Example:
        >>> lines_above("Sales,,\nof 2024,,\nday,shop,sum\n1,A,3\n2,B,4\n", Dialect(","))
        2
    """
    rows = [row[0] if (row := Sample(line).rows(dialect, 1)) else [] for line in text.splitlines()[:_SEEN]]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    full = (index for index, row in enumerate(rows) if len(row) == width and sum(map(bool, row)) >= max(2, width - 1))
    first = next(full, 0)
    return first if 0 < first <= _TITLES and not looks_like_data(rows[first:], strict=False) else 0


def begin_at(lines: int) -> str:
    """How to leave out lines above a header."""
    return f"leave out the {counted(lines, 'line')} above the header with {named('skip')} {lines}"


def looks_like_data(rows: Sequence[Sequence[str]], *, strict: bool) -> bool:
    """Whether the first of ``rows`` holds values like those of the others.

    All its cells are numbers or dates; or some are numbers above columns of numbers, and do not rise or fall from left
    to right as the years of a wide table do, or are values of their columns too. Numbers from 0 in steps of 1 name the
    columns of an array without names.

    Args:
        rows: of a sample.
        strict: whether numbers from 0 are names.
    """
    first, others = rows[0] if rows else [], rows[1:]
    cells = [cell for cell in first if cell]
    values = {index: _value(cell) for index, cell in enumerate(first) if cell}
    seen = {index: value for index, value in values.items() if value is not None}
    numeric = {index: value for index, value in seen.items() if not math.isnan(value)}  # "none" may be a name
    if not numeric:
        return False
    if len(seen) == len(cells):
        steps = list(numeric.values()) == [float(index) for index in range(len(cells))]
        return not (strict and steps and (len(cells) > 3 or not first[0]))
    columns = {index: [_value(row[index]) for row in others if index < len(row)] for index in numeric}
    if not others or any(value is None for column in columns.values() for value in column[:_ROWS]):
        return False
    found = [value in columns[index] or columns[index][0] == value + 1 for index, value in numeric.items()]
    names = list(numeric.values())
    if len(names) == 1:
        return any(found)
    ways = {later > earlier for earlier, later in itertools.pairwise(names)}
    rising = len(ways) == 1 and len({*names}) == len(names)  # or falling: the latest year may stand first
    rising = rising and (len(names) > 2 or all(1000 <= name < 3000 for name in names))
    in_steps = names == [names[0] + step for step in range(len(names))]
    return not in_steps and (any(found) if rising else True)


def _value(cell: str) -> float | None:
    number = math.nan if cell.lower() in MISSING_WORDS else number_in(cell, ".")
    if number is not None:
        return number
    return float(cell[:4]) if _DATE.fullmatch(cell) else None
