"""Whether the name of a column says that it holds times."""

from __future__ import annotations

import re

__all__ = ["names_a_time"]

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
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return any(word.lower() in _WORDS for word in words)
