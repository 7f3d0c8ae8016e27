"""Columns of texts in which nearly all cells are numbers, dates or times: the others are taken for faults."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NUMBER", "check_mixed"]

NUMBER = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[nN][aA][nN]|[iI][nN][fF](?:inity)?)"
_MOSTLY, _FEW = 0.95, 20  # from this share of one form, in so many cells, the other cells are taken for faults
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
    """Refuse the cell that is none where nearly all others are of one form.

    Args:
        texts: of type string; missing cells are of any form.
        fail: from a row, counted from 0, and a sentence the error to raise.

    Example:
        >>> days = pa.chunked_array([["2026-02-28"] * 20 + ["2026-02-30"]])
        >>> check_mixed(days, lambda row, message: ValueError(f"row {row + 1}: {message}"))
        Traceback (most recent call last):
        ValueError: row 21: '2026-02-30' is not a date, as 20 of the 21 cells are
    """
    cells = len(texts) - texts.null_count
    if cells < _FEW:
        return
    for form, pattern, parse in _FORMS:
        other = ~pc.fill_null(pc.match_substring_regex(texts, pattern), True).to_numpy()
        if other.sum() > (1 - _MOSTLY) * cells:
            continue
        if parse is not None:  # it looks like a day, but the calendar may not have it
            other |= [text is not None and not _parses(text, parse) for text in texts.to_pylist()]
        faults = int(other.sum())
        if 0 < faults <= (1 - _MOSTLY) * cells:
            row = int(np.argmax(other))
            raise fail(row, f"{texts[row].as_py()[:40]!r} is not {form}, as {cells - faults} of the {cells} cells are")


def _parses(text: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
