"""Text columns in which nearly all cells are numbers, dates or times: the other cells are taken for errors."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NUMBER", "check_mixed"]

NUMBER = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[nN][aA][nN]|[iI][nN][fF](?:inity)?)"
_MOSTLY, _FEW = 0.95, 20  # if this share of at least so many cells has one form, the others are taken for errors
_DAY, _CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?"
_FORMS: tuple[tuple[str, str, Callable[[str], object] | None], ...] = (
    ("a number", rf"^\s*{NUMBER}\s*$", None),
    ("a date", rf"^{_DAY}(?:[ T]{_CLOCK})?$", datetime.datetime.fromisoformat),
    (
        "a time with its zone",
        rf"^{_DAY}[ T]{_CLOCK}(?:Z|[-+][0-9]{{2}}(?::?[0-9]{{2}})?)$",
        datetime.datetime.fromisoformat,
    ),
    ("a time", r"^[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?$", datetime.time.fromisoformat),
)


def check_mixed(texts: pa.ChunkedArray, fail: Callable[[int, str], Exception]) -> None:
    """Refuse a column in which nearly all cells have one form, such as a date, and a few do not.

    Args:
        texts: of type string; missing cells fit every form.
        fail: makes the error to raise, from a row, counted from 0, and a message.

    Example:
        >>> days = pa.chunked_array([["2026-02-28"] * 20 + ["2026-02-30"]])
        >>> check_mixed(days, lambda row, message: ValueError(f"row {row + 1}: {message}"))
        Traceback (most recent call last):
        ValueError: row 21: '2026-02-30' is not a date, but 20 of the 21 cells are
    """
    cells = len(texts) - texts.null_count
    if cells < _FEW:
        return
    for form, pattern, parse in _FORMS:
        other = ~pc.fill_null(pc.match_substring_regex(texts, pattern), True).to_numpy()
        if other.sum() > (1 - _MOSTLY) * cells:
            continue
        if parse is not None:  # it looks like a date, but it may not exist
            other |= [text is not None and not _parses(text, parse) for text in texts.to_pylist()]
        faults = int(other.sum())
        if 0 < faults <= (1 - _MOSTLY) * cells:
            row = int(np.argmax(other))
            raise fail(row, f"{texts[row].as_py()[:40]!r} is not {form}, but {cells - faults} of the {cells} cells are")


def _parses(text: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
