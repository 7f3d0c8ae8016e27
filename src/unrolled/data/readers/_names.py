"""The names of the columns of a text table: its first row, or those that the user gives."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from unrolled.data.config import DataConfig
from unrolled.data.io.number_forms import MISSING_WORDS, number_in
from unrolled.data.readers._dialect import BLANKS, FIRST, Dialect, Sample, named_separator, value_share
from unrolled.errors import DataError, counted, named

__all__ = [
    "begin_at",
    "check_given",
    "check_header",
    "check_named",
    "free_name",
    "lines_above",
    "looks_like_data",
    "other_encoding",
]

_ORDERED = 4  # steps in one direction that hardly come about by chance
_ROWS = 20  # rows below a header that show what a column holds
_SEEN, _TITLES = 200, 20  # lines that are looked at, and that may stand above a header
_DATE = re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}([ T].*)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}.*)?")


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

    Args:
        sample: the beginning of the file.
        dialect: how its lines are divided and quoted, as far as its content shows.
        origin: how errors name the file.
        likely: the separator of its name's ending; ``None`` if that says nothing.
        config: ``header`` has the names.

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


def check_given(given: Sequence[str], rows: Sequence[Sequence[str]], origin: str, without_first: str) -> list[str]:
    """The names that the user gives, unless the first of ``rows`` holds the same ones.

    Raises:
        DataError: it does.
    """
    if rows and [cell.casefold() for cell in rows[0]] == [name.casefold() for name in given]:
        raise DataError(f"its first row holds the names that {named('header')} gives", file=origin, hint=without_first)
    return list(given)


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
    """Whether the first of ``rows`` holds values as the others do; a single word never does.

    It does where a date stands above dates, or all its cells are numbers, or some are and stand above numbers. It does
    not where a word stands above numbers or dates, or where its numbers are usual names: see `_are_names`. Numbers from
    0 in steps of 1 name the columns of an array without names.

    Args:
        rows: of a sample.
        strict: whether numbers from 0 are names.
    """
    first, others = rows[0] if rows else [], rows[1:]
    columns = [[row[index] for row in others if index < len(row)] for index in range(len(first))]
    if any(_DATE.fullmatch(cell) and _all(columns[index], _is_date) for index, cell in enumerate(first)):
        return True
    found = {index: number_in(cell, ".") for index, cell in enumerate(first)}
    numbers = {index: number for index, number in found.items() if number is not None}
    if not numbers:
        return False
    valued = [_all(column, _is_number) or _all(column, _is_date) for column in columns]
    words = [
        index
        for index, cell in enumerate(first)
        if cell and index not in numbers and not (valued[index] and cell.lower() in MISSING_WORDS)
    ]
    if not words:
        names = list(numbers.values())
        steps = names == [float(index) for index in range(len(names))]
        return not (strict and steps and (len(names) > 3 or not first[0]))
    if any(valued[index] for index in words) or not all(_all(columns[index], _is_number) for index in numbers):
        return False
    return not _are_names(list(numbers.values()), [columns[index] for index in numbers])


def _are_names(numbers: Sequence[float], columns: Sequence[Sequence[str]]) -> bool:
    """Whether numbers beside words name the columns of numbers below them.

    Numbers in steps of 1 do. Years, a lone 0 as pandas writes it, three numbers in equal steps, and five that rise or
    fall do, unless a column holds its name too or goes on from it, or the numbers below are years or rise as well.
    """
    steps = [later - earlier for earlier, later in itertools.pairwise(numbers)]
    if steps and all(step == 1 for step in steps):
        return True
    years = all(map(_is_year, numbers))
    equal = len(steps) > 1 and steps[0] != 0 and all(math.isclose(step, steps[0]) for step in steps)
    in_order = len(steps) >= _ORDERED and _in_order(numbers)
    if not (years or equal or in_order or list(numbers) == [0.0]):
        return False
    values = [[number_in(cell, ".") for cell in column] for column in columns]
    if any(number in column or column[0] == number + 1 for number, column in zip(numbers, values, strict=True)):
        return False
    if years:
        return not all(number is None or _is_year(number) for column in values for number in column)
    rows = [[number for number in row if number is not None] for row in zip(*values, strict=False)]
    return equal or not in_order or sum(map(_in_order, rows)) < len(rows) / 2


def _in_order(numbers: Sequence[float]) -> bool:
    return len({later > earlier for earlier, later in itertools.pairwise(numbers) if later != earlier}) == 1


def _all(column: Sequence[str], fits: Callable[[str], bool]) -> bool:
    """Whether the first cells of a column fit, but for those that are missing."""
    told = [cell for cell in column[:_ROWS] if cell.lower() not in MISSING_WORDS]
    return bool(told) and all(map(fits, told))


def _is_number(cell: str) -> bool:
    return number_in(cell, ".") is not None


def _is_date(cell: str) -> bool:
    return _DATE.fullmatch(cell) is not None


def _is_year(number: float) -> bool:
    return number.is_integer() and 1000 <= number < 3000
