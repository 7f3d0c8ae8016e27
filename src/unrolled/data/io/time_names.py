"""The words in the name of a column, and whether they say that it holds times."""

from __future__ import annotations

import re

__all__ = ["names_a_part_of_time", "names_a_time", "words_of"]

_WORDS = {
    *("date", "dates", "datetime", "dteday", "time", "times", "timestamp", "timestamps", "ts", "epoch", "unix", "ds"),
    *("dt", "when", "day", "days", "month", "months", "week", "quarter", "year", "years", "period", "created"),
    *("updated", "utc", "moment"),
}
_PARTS = {"hour", "hr", "minute", "weekday", "weekend", "dow", "season", "yr", "mnth", "mo", "holiday", "workingday"}


def names_a_time(name: str) -> bool:
    """Whether the name of a column says that it holds times.

    Example:
        >>> names_a_time("InvoiceDate"), names_a_time("pickup_ts"), names_a_time("update"), names_a_time("timely")
        (True, True, False, False)
    """
    return bool(words_of(name) & _WORDS)


def names_a_part_of_time(name: str) -> bool:
    """Whether the name of a column says that it holds times, or a part of them, such as a weekday.

    Example:
        >>> names_a_part_of_time("hr"), names_a_part_of_time("is_weekday"), names_a_part_of_time("price")
        (True, True, False)
    """
    return names_a_time(name) or bool(words_of(name) & _PARTS)


def words_of(name: str) -> set[str]:
    """The words in the name of a column, in lower case.

    Example:
        >>> sorted(words_of("storeID_of2ndOrder"))
        ['id', 'nd', 'of', 'order', 'store']
    """
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
