"""The words in the name of a column, and whether they say that it holds times."""

from __future__ import annotations

import re

__all__ = ["names_a_time", "words_of"]

_WORDS = {
    *("date", "dates", "datetime", "dteday", "time", "times", "timestamp", "timestamps", "ts", "epoch", "unix", "ds"),
    *("dt", "when", "day", "days", "month", "months", "week", "quarter", "year", "years", "period", "created"),
    *("updated", "utc", "moment"),
}


def names_a_time(name: str) -> bool:
    """Whether the name of a column says that it holds times.

    Example:
        >>> names_a_time("InvoiceDate"), names_a_time("pickup_ts"), names_a_time("update"), names_a_time("timely")
        (True, True, False, False)
    """
    return bool(words_of(name) & _WORDS)


def words_of(name: str) -> set[str]:
    """The words in the name of a column, in lower case.

    Example:
        >>> sorted(words_of("storeID_of2ndOrder"))
        ['id', 'nd', 'of', 'order', 'store']
    """
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
