"""What a server refuses, as errors: with the sentence that it said."""

from __future__ import annotations

from typing import Any

from unrolled import errors
from unrolled.errors import DataError, ModelError, UnrolledError, UsageError

__all__ = ["Broken", "ServerRefused", "Unreachable", "error_of"]

# What the server says of the data or the model is raised as the error that a local session raises.
_SAME = {kind.__name__: kind for kind in (DataError, ModelError, UsageError, errors.WrongType, errors.ShapeError)}
_LATER = {"Busy", "Draining", "Expired", "Overloaded"}  # worth another try


class ServerRefused(UnrolledError):
    """The server did not carry out a request.

    Args:
        kind: such as ``NotFound``, ``Conflict``, ``Unauthorized``, ``TooLarge``, ``Overloaded``.
        message: what it said.
        retry_after_s: after how many seconds another try makes sense; ``None``: it makes none.
        fields: what else stood in its answer.

    Example:
        >>> error_of({"type": "Busy", "message": "32 messages wait", "retry_after_s": 2}).retry_after_s
        2.0
    """

    def __init__(
        self, kind: str, message: str, retry_after_s: float | None = None, fields: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.retry_after_s, self.fields = kind, retry_after_s, fields or {}

    def details(self) -> dict[str, object]:
        return {"kind": self.kind, **self.fields}


class Unreachable(UnrolledError):
    """The server could not be reached, or asked to wait, for longer than the client's patience."""


class Broken(Exception):
    """A connection that failed, or a server that asks to come again: worth another try.

    Args:
        reason: for people.
        retry_after_s: what the server asks to wait.
    """

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def error_of(told: Any, status: int = 0) -> UnrolledError:
    """The error that an answer holds.

    Args:
        told: what stands under ``"error"``, or anything else that came in its place.
        status: of HTTP, where the answer has one.

    Example:
        >>> error = error_of({"type": "DataError", "message": "column 'x': is no number", "column": "x"})
        >>> type(error).__name__, str(error), error.column
        ('DataError', "column 'x': is no number", 'x')
    """
    if not isinstance(told, dict):
        told = {"type": f"HTTP {status}", "message": str(told)[:200] or f"the server answered with status {status}"}
    kind, message = str(told.get("type")), str(told.get("message"))
    if kind in _SAME:
        error = _SAME[kind](message)
        if isinstance(error, DataError):  # its sentence says already where it is
            error.file, error.row = told.get("file"), told.get("row")
            error.column, error.hint = told.get("column"), told.get("hint")
        return error
    fields = {name: value for name, value in told.items() if name not in ("type", "message", "exit_code")}
    retry = fields.pop("retry_after_s", 1.0 if kind in _LATER else None)
    return ServerRefused(kind, message, None if retry is None else float(retry), fields)
