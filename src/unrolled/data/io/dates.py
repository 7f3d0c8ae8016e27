"""Texts and numbers that stand for dates or times, as Arrow's dates and timestamps. Axes: N cells, U distinct ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.date_forms import FOREIGN, FORMS, MONTHS, Form
from unrolled.data.io.day_numbers import (
    DAY,
    SAY,
    DateOrder,
    Undecided,
    clock_of,
    days_of,
    full_year,
    in_order,
    weeks_of,
)
from unrolled.data.io.stray_cells import nearly_all
from unrolled.data.io.zones import in_zones
from unrolled.errors import named

__all__ = ["DateOrder", "Dates", "Fail", "dates_in_texts"]

Fail = Callable[[int, str, str | None], Exception]
"""Makes the error about a cell, from its index, a message and a hint."""

_LONGEST, _HEAD, _TRIED = 60, 1000, 5  # letters of a date; cells, and distinct ones, that show which forms may fit
_FOREIGN_MONTHS = 14
_UNTIL = " - "


@dataclass(frozen=True, slots=True)
class Dates:
    """A column of dates.

    Attributes:
        values: (N,) ``date32`` where no cell has a time of day, else ``timestamp``, in the zone of the cells, if any.
        order: the order of day and month that the cells show, where their form leaves it open.
        note: what the user should know about how they were read; empty if nothing.
    """

    values: pa.ChunkedArray
    order: DateOrder | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """(U,) local times in microseconds, whether there is such a time, and the zones as written."""

    local: np.ndarray
    known: np.ndarray
    zones: pa.Array | None
    timed: bool
    order: DateOrder | None = None
    note: str = ""


def dates_in_texts(
    texts: pa.ChunkedArray, fail: Fail, order: DateOrder | None = None, *, sure: bool = False
) -> Dates | None:
    """The dates that ``texts`` stand for, if one form fits all of them; ``None`` if they are no dates.

    Args:
        texts: (N,) strings; null and blank cells are missing dates.
        fail: makes the error to raise.
        order: how to read ``01/02/2024``; ``None``: the one way that fits all cells.
        sure: whether something else says that these are dates, so that ``20240102`` or ``1/2/24`` is one too.

    Raises:
        what ``fail`` makes: nearly all cells have one form and a few do not, such as a 30th of February; day and month
            cannot be told apart; some cells have a zone and some do not; or months are not named in English.

    Cost: O(N + U · letters).

    Example:
        >>> def fail(index, message, hint): return ValueError(message)
        >>> dates_in_texts(pa.chunked_array([["Jan 31, 2024", "Feb 1, 2024"]]), fail).values.to_pylist()
        [datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)]
    """
    shown = _shown(texts)
    if shown and all(_UNTIL in text for text in shown):  # such as 01.01.2024 00:00 - 01.01.2024 01:00
        starts = dates_in_texts(pc.replace_substring_regex(texts, f"{_UNTIL}.*$", ""), fail, order, sure=sure)
        return starts and replace(starts, note=", ".join(filter(None, (starts.note, "by the start of each period"))))
    candidates = [form for form in FORMS if (sure or not form.sure) and any(re.match(form.pattern, t) for t in shown)]
    if not candidates and not any(re.match(FOREIGN, text) for text in shown):
        return None  # before anything is done with what may be a gigabyte of prose
    encoded = texts.combine_chunks().dictionary_encode()
    cells = pc.utf8_trim_whitespace(encoded.dictionary.cast(pa.string()))
    places = encoded.indices
    cells = pc.if_else(pc.equal(cells, ""), None, cells)
    best: tuple[int, Form, np.ndarray] | None = None
    counts = np.bincount(pc.drop_null(places).to_numpy(), minlength=len(cells))
    present = pc.is_valid(cells).to_numpy(zero_copy_only=False)
    total = int(counts[present].sum())
    for form in candidates:
        try:
            parsed = _parse(cells, form, order)
        except Undecided as undecided:
            first = _first(places, present)
            text = cells[places[first].as_py()].as_py()
            hint = "give " + " or ".join(f"{named('date_order')} {name}" for name in undecided.orders)
            ways = " or ".join(SAY[name] for name in undecided.orders)
            raise fail(first, f"{text!r} can be read {ways}, and so can all others", hint) from None
        wrong = present & ~parsed.known
        faults = int(counts[wrong].sum())
        if not faults:
            return _finished(parsed, cells, places, fail)
        if best is None or faults < best[0]:
            best = faults, form, wrong
    if best is not None and nearly_all(best[0], total):
        first = _first(places, best[2])
        text = cells[places[first].as_py()].as_py()[:40]
        message = f"{text!r} is not a date, but {total - best[0]} of the {total} cells are"
        raise fail(first, message, "correct it, or leave the cell empty")
    _refuse_foreign(cells, places, present, fail)
    return None


def _shown(texts: pa.ChunkedArray) -> list[str]:
    """The first few distinct cells that are short enough for a date."""
    head = [text.strip() for text in pc.unique(texts.slice(0, _HEAD)).to_pylist() if text]
    return [text for text in head if 0 < len(text) <= _LONGEST][:_TRIED]


def _first(places: pa.Array, chosen: np.ndarray) -> int:
    """The first cell whose distinct text is ``chosen``."""
    known = pc.fill_null(places, -1).to_numpy()
    return int(np.argmax(np.append(chosen, False)[known]))


def _parse(cells: pa.Array, form: Form, order: DateOrder | None) -> _Parsed:
    groups = pc.extract_regex(cells, form.pattern)
    fits = pc.is_valid(groups).to_numpy(zero_copy_only=False)
    names = {field.name for field in groups.type}
    of = {name: groups.field(name) for name in names}

    def number(name: str, empty: int = 0) -> np.ndarray:
        if name not in names:
            return np.full(len(cells), empty, np.int64)
        digits = pc.replace_substring(of[name], "'", "")
        if name == "fraction":  # of a second, in microseconds
            digits = pc.utf8_slice_codeunits(pc.utf8_rpad(digits, 6, "0"), 0, 6)
        filled = pc.if_else(pc.and_(fits_array, pc.not_equal(digits, "")), digits, str(empty))
        return np.asarray(pc.cast(filled, pa.int64()).to_numpy(zero_copy_only=False))

    fits_array = pa.array(fits)
    clock, right = clock_of(number, of.get("half"))
    found, note = None, ""
    if "a" in names:
        a, b, c = number("a", 1), number("b", 1), number("c", 2000)
        dotted = "." in form.say
        days, known, found, note = in_order((a, b, c), clock, fits, order, dotted=dotted)
    elif "week" in names:
        days, known = weeks_of(number("year", 2000), number("week", 1), number("weekday", 1))
    else:
        month = number("month", 1)
        if "name" in names:
            name = pc.utf8_lower(pc.utf8_slice_codeunits(of["name"], 0, 3))
            month = pc.fill_null(pc.index_in(name, pa.array(MONTHS)), 0).to_numpy(zero_copy_only=False) + 1
        elif "quarter" in names:
            month = 3 * number("quarter", 1) - 2
        days, known = days_of(full_year(number("year", 2000)), month, number("day", 1))
    known = fits & known & right
    local = np.where(known, days * DAY + clock, 0)
    timed = "hour" in names and bool((pc.not_equal(of["hour"], "").to_numpy(zero_copy_only=False) & fits).any())
    return _Parsed(local, known, of.get("zone") if timed else None, timed, found, note)


def _finished(parsed: _Parsed, cells: pa.Array, places: pa.Array, fail: Fail) -> Dates:
    values = pa.array(parsed.local, mask=~parsed.known)
    if not parsed.timed:
        days = pc.divide(values, DAY).cast(pa.int32()).cast(pa.date32())
        return Dates(pa.chunked_array([days.take(places)]), parsed.order, parsed.note)
    assert parsed.zones is not None
    written = pc.if_else(pa.array(parsed.known), parsed.zones, None)
    zones = [zone for zone in pc.unique(written).to_pylist() if zone is not None]
    local = values.cast(pa.timestamp("us"))
    if zones == [""] or not zones:
        return Dates(pa.chunked_array([local.take(places)]), parsed.order, parsed.note)
    if "" in zones:
        bare = pc.fill_null(pc.equal(written, ""), False).to_numpy(zero_copy_only=False)
        other = cells[int(np.argmax(parsed.known & ~bare))].as_py()
        at = _first(places, bare)
        message = (
            f"{cells[places[at].as_py()].as_py()!r} has no offset from UTC, but others have one, such as {other!r}"
        )
        raise fail(at, message, "write all of them with an offset, or none")
    stamps, note = in_zones(local, written, zones, lambda zone: _unknown_zone(zone, written, places, fail))
    return Dates(pa.chunked_array([stamps.take(places)]), parsed.order, ", ".join(filter(None, (parsed.note, note))))


def _unknown_zone(zone: str, written: pa.Array, places: pa.Array, fail: Fail) -> Exception:
    at = _first(places, pc.fill_null(pc.equal(written, zone), False).to_numpy(zero_copy_only=False))
    hint = "write an offset such as +02:00, or a zone such as Europe/Berlin"
    return fail(at, f"{zone!r} is not a time zone with one meaning", hint)


def _refuse_foreign(cells: pa.Array, places: pa.Array, present: np.ndarray, fail: Fail) -> None:
    """Refuse dates whose months are named in another language: they would be taken for words."""
    first = _first(places, present)
    if not present.any() or re.match(FOREIGN, cells[places[first].as_py()].as_py()) is None:
        return
    found = [re.match(FOREIGN, text) for text in cells.to_pylist() if text is not None]
    months = {match[1] or match[2] for match in found if match is not None}
    if all(found) and len(months) <= _FOREIGN_MONTHS and len(found) >= 3:
        text = cells[places[first].as_py()].as_py()
        raise fail(first, f"{text[:40]!r} looks like a date whose month is not named in English", "write YYYY-MM-DD")
