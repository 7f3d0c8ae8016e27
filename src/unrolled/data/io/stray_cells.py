"""Text columns in which nearly all cells are numbers, dates or times: the other cells are taken for errors."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NUMBER", "PLAIN_NUMBER", "check_mixed", "form_of", "nearly_all"]

NUMBER = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[nN][aA][nN]|[iI][nN][fF](?:inity)?)"
PLAIN_NUMBER = rf"^\s*{NUMBER}\s*$"
_NUMBER, _ZONED, _BOOLEAN = "a number", "a time with its zone", r"^(?i:true|false)$"
_WORDS = 3  # so few texts among numbers of many values are no labels
_BELOW = 3  # different values below a first row that is not a header
_MOSTLY, _FEW = 0.95, 20  # if this share of at least so many cells has one form, the others are taken for errors
_DAY, _CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?"
_HOURS = r"(?:[ T][0-9]{1,2}:[0-9]{2}.*)?$"
_OTHER_DAYS = (  # as countries write them; they stay texts
    rf"^[0-9]{{1,2}}(?:/[0-9]{{1,2}}/|\.[0-9]{{1,2}}\.|-[0-9]{{1,2}}-)[0-9]{{2,4}}{_HOURS}",
    rf"^[0-9]{{4}}(?:/[0-9]{{1,2}}/|\.[0-9]{{1,2}}\.)[0-9]{{1,2}}{_HOURS}",
)
_FORMS: tuple[tuple[str, str, Callable[[str], object] | None], ...] = (
    (_NUMBER, PLAIN_NUMBER, None),
    ("a date", rf"^{_DAY}(?:[ T]{_CLOCK})?$", datetime.datetime.fromisoformat),
    (
        _ZONED,
        rf"^{_DAY}[ T]{_CLOCK}(?:Z|[-+][0-9]{{2}}(?::?[0-9]{{2}})?)$",
        datetime.datetime.fromisoformat,
    ),
    ("a time", r"^[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?$", datetime.time.fromisoformat),
)


def nearly_all(faults: int, cells: int) -> bool:
    """Whether so many of ``cells`` have one form that the other ``faults`` are taken for errors."""
    return cells >= _FEW and faults <= (1 - _MOSTLY) * cells


def form_of(texts: pa.ChunkedArray, share: float = 1.0) -> bool:
    """Whether this share of the texts that are not missing are dates, times without a zone, or true and false."""
    cells = len(texts) - texts.null_count
    patterns = [pattern for form, pattern, _ in _FORMS if form not in (_NUMBER, _ZONED)] + [*_OTHER_DAYS, _BOOLEAN]
    fits = [pc.sum(pc.match_substring_regex(texts, pattern)).as_py() or 0 for pattern in patterns]
    return bool(cells) and max(fits) >= share * cells


def check_mixed(
    texts: pa.ChunkedArray, fail: Callable[[int, str], Exception], numeric: np.ndarray | None = None
) -> None:
    """Refuse a column in which nearly all cells have one form, such as a date, and a few do not.

    It is refused too where its first row alone has another form, as units and names have, and a column of numbers where
    many cells hold one of very few other texts.

    Args:
        texts: of type string; missing cells fit every form.
        fail: makes the error to raise, from a row, counted from 0, and a message.
        numeric: (rows,) bool, which texts are numbers; by default those that are written plainly.

    Example:
        >>> days = pa.chunked_array([["2026-02-28"] * 20 + ["2026-02-30"]])
        >>> check_mixed(days, lambda row, message: ValueError(f"row {row + 1}: {message}"))
        Traceback (most recent call last):
        ValueError: row 21: '2026-02-30' is not a date, but 20 of the 21 cells are
    """
    cells = len(texts) - texts.null_count
    if not cells:
        return
    for form, pattern, parse in _FORMS:
        if form == _NUMBER and numeric is not None:
            other = ~numeric
        else:
            other = ~pc.fill_null(pc.match_substring_regex(texts, pattern), True).to_numpy()
        faults = int(other.sum())
        if faults <= (1 - _MOSTLY) * cells and parse is not None:  # it looks like a date, but it may not exist
            other |= [text is not None and not _parses(text, parse) for text in texts.to_pylist()]
            faults = int(other.sum())
        few = nearly_all(faults, cells)
        above = faults == 1 and bool(other[0]) and pc.count_distinct(texts.slice(1)).as_py() >= _BELOW
        if faults and (few or above or (form == _NUMBER and _no_labels(texts, other, cells))):
            row = int(np.argmax(other))
            one = f"{texts[row].as_py()[:40]!r} is not {form}, but {cells - faults} of the {cells} cells are"
            raise fail(row, one + _listed(texts, other))


def _no_labels(texts: pa.ChunkedArray, other: np.ndarray, cells: int) -> bool:
    """Whether most cells are numbers of many values, and the others one of few texts."""
    if cells < _FEW or int(other.sum()) > cells / 2:
        return False
    numbers = pc.count_distinct(texts.filter(pa.array(~other))).as_py()
    return bool(numbers > _FEW and pc.count_distinct(texts.filter(pa.array(other))).as_py() <= _WORDS)


def _listed(texts: pa.ChunkedArray, other: np.ndarray) -> str:
    """The other cells, each once with how often it occurs, if there are several."""
    if other.sum() < 2:
        return ""
    counts = Counter(texts.filter(pa.array(other)).to_pylist()).most_common()
    first = ", ".join(f"{text[:40]!r} ({times} times)" if times > 1 else repr(text[:40]) for text, times in counts[:5])
    return f"; the others are {first}" + (f" and {len(counts) - 5} more" if len(counts) > 5 else "")


def _parses(text: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
