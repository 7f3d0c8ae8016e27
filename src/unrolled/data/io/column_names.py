"""What the name of a column says about its cells: times, the sources of rows, people, things, identifiers."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = [
    "names_a_part_of_time",
    "names_a_source",
    "names_a_time",
    "names_an_actor",
    "names_an_identity",
    "names_an_item",
    "says_one_of",
    "words_of",
]

_TIMES = {
    *("date", "dates", "datetime", "dteday", "time", "times", "timestamp", "timestamps", "ts", "epoch", "unix", "ds"),
    *("dt", "when", "day", "days", "month", "months", "week", "quarter", "year", "years", "period", "created"),
    *("updated", "utc", "moment"),
}
_PARTS = {"hour", "hr", "minute", "weekday", "weekend", "dow", "season", "yr", "mnth", "mo", "holiday", "workingday"}
_ACTORS = {
    *("user", "customer", "visitor", "session", "client", "member", "person", "patient", "student", "player", "trace"),
    *("device", "card", "case", "host", "ip", "machine", "author", "employee", "driver", "package", "account"),
}
_SOURCES = _ACTORS | {
    *("store", "shop", "station", "site", "sensor", "subject", "unit", "meter", "series", "room", "engine"),
    *("household", "vehicle", "plant", "line", "speaker", "group"),
}
_ITEMS = {
    *("item", "items", "product", "page", "url", "movie", "film", "song", "track", "artist", "article", "sku", "book"),
    *("event", "action", "activity", "video", "code", "asin", "category", "news", "place", "poi", "location", "venue"),
}
_IDENTITIES = {"id", "uuid", "guid", "identifier", "rowid"}
_IDENTITY = re.compile(  # in one word
    r"no|nr|(?:user|cust|customer|client|passenger|product|item|order|movie|session|trans|transaction|patient|record"
    r"|sample|doc|document|case|event|track|person|employee|member|account|invoice|store|station|device|sensor)id",
    re.I,
)
_NUMBERED = re.compile(r"[a-z](?:No|Nr)$|_(?:no|nr)$")


def words_of(name: str) -> list[str]:
    """The words in the name of a column, in lower case.

    Example:
        >>> words_of("storeID_of2ndOrder")
        ['store', 'id', 'of', 'nd', 'order']
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def says_one_of(name: str, words: Collection[str]) -> bool:
    """Whether one of the words in the name of a column is one of ``words``."""
    return any(word in words for word in words_of(name))


def names_a_time(name: str) -> bool:
    """Whether the name of a column says that it holds times.

    Example:
        >>> names_a_time("InvoiceDate"), names_a_time("pickup_ts"), names_a_time("update"), names_a_time("timely")
        (True, True, False, False)
    """
    return says_one_of(name, _TIMES)


def names_a_part_of_time(name: str) -> bool:
    """Whether the name of a column says that it holds times, or a part of them, such as a weekday.

    Example:
        >>> names_a_part_of_time("hr"), names_a_part_of_time("is_weekday"), names_a_part_of_time("price")
        (True, True, False)
    """
    return names_a_time(name) or says_one_of(name, _PARTS)


def names_an_actor(name: str) -> bool:
    """Whether the name of a column says that it names those who do something, such as ``user`` or ``sessionid``.

    Example:
        >>> names_an_actor("CustomerId"), names_an_actor("sessionid"), names_an_actor("store")
        (True, True, False)
    """
    return any(word in _ACTORS or word.removesuffix("id") in _ACTORS for word in words_of(name))


def names_a_source(name: str) -> bool:
    """Whether the name of a column says that it names the sources of rows, such as ``machine`` or ``store_id``.

    Example:
        >>> names_a_source("machine"), names_a_source("store"), names_a_source("price")
        (True, True, False)
    """
    return says_one_of(name, _SOURCES) or names_an_identity(name)


def names_an_item(name: str) -> bool:
    """Whether the name of a column says that it names things, such as ``item`` or ``productId``.

    Example:
        >>> names_an_item("movieId"), names_an_item("page"), names_an_item("price")
        (True, True, False)
    """
    return says_one_of(name, _ITEMS) and not names_a_time(name)


def names_an_identity(name: str) -> bool:
    """Whether the name of a column says that it tells things or people apart, such as ``store_id`` or ``userId``.

    Example:
        >>> names_an_identity("store_id"), names_an_identity("userid"), names_an_identity("paid")
        (True, True, False)
    """
    name = name.strip()
    return says_one_of(name, _IDENTITIES) or bool(_IDENTITY.fullmatch(name) or _NUMBERED.search(name))
