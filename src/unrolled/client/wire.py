"""What a client and a server say to each other, as text; and what a conversation asks of a connection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from unrolled.client.faults import Broken
from unrolled.errors import DataError

__all__ = ["PROTOCOL", "Ask", "Close", "Connect", "Sleep", "decoded", "encoded"]

PROTOCOL = "unrolled.v1"


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a WebSocket at ``path`` with the parameters ``query``; where ``greets``, its first message is wanted."""

    path: str
    query: dict[str, str]
    greets: bool = True


@dataclass(frozen=True, slots=True)
class Ask:
    """Send ``text`` over the open WebSocket; the next message that comes is wanted."""

    text: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket, if one is open."""


def encoded(value: Any) -> str:
    """A value as JSON: also numbers and arrays of NumPy, dates, and whatever else has ``tolist`` or ``isoformat``.

    Raises:
        DataError: it holds something else, or a number that JSON does not have.

    Example:
        >>> from datetime import date
        >>> encoded({"day": date(2026, 1, 2), "load": 1.5, "temperature": None})
        '{"day":"2026-01-02","load":1.5,"temperature":null}'
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
    except ValueError:
        raise DataError("a value is NaN or infinite, which JSON does not have; a missing number is None") from None
    except TypeError as error:
        raise DataError(f"a value cannot be sent as JSON: {error}") from None


def decoded(text: str | bytes) -> Any:
    """What stands in a message.

    Raises:
        Broken: it is no JSON, or it says that the server closes the connection.
    """
    try:
        message = json.loads(text)
    except ValueError:
        raise Broken("the server sent something that is no JSON") from None
    if isinstance(message, dict) and "closing" in message:
        raise Broken(f"the server closes: {message['closing']}", float(message.get("retry_after_s", 1.0)))
    return message


def _plain(value: Any) -> Any:
    for method in ("tolist", "isoformat"):
        if hasattr(value, method):
            return getattr(value, method)()
    raise TypeError(f"{type(value).__name__} is neither text, a number, a list nor a dictionary")
