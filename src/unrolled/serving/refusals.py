"""What the server refuses, and the status that says so."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

from unrolled.errors import DataError, ModelError, UnrolledError, UsageError

__all__ = ["Refused", "about", "kind_of", "known", "retry_after", "status_of", "told_at"]

_STATUS = {  # type of the error in an answer -> the status of HTTP
    "BadRequest": HTTPStatus.BAD_REQUEST,
    "Unauthorized": HTTPStatus.UNAUTHORIZED,
    "Forbidden": HTTPStatus.FORBIDDEN,
    "NotFound": HTTPStatus.NOT_FOUND,
    "Conflict": HTTPStatus.CONFLICT,
    "NotAcceptable": HTTPStatus.NOT_ACCEPTABLE,
    "Unsupported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "CannotStream": HTTPStatus.CONFLICT,
    "TooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "Misdirected": HTTPStatus.MISDIRECTED_REQUEST,
    "Busy": HTTPStatus.TOO_MANY_REQUESTS,  # a bound of the session
    "Overloaded": HTTPStatus.SERVICE_UNAVAILABLE,  # a bound of the server
    "Draining": HTTPStatus.SERVICE_UNAVAILABLE,
    "Slow": HTTPStatus.REQUEST_TIMEOUT,
    "Expired": HTTPStatus.GATEWAY_TIMEOUT,
}
_RETRIED = {"Busy", "Overloaded", "Draining"}
_SOONEST = 0.05  # seconds before another try


class Refused(UnrolledError):
    """A request that is not carried out.

    Args:
        kind: its type in the answer, one of those that have a status.
        message: what is wrong, and what to do.
        retry: after how many seconds it is worth another try, where it is.
        details: further fields of the error, such as the number that was expected.

    Example:
        >>> Refused("Busy", "32 messages wait").status
        <HTTPStatus.TOO_MANY_REQUESTS: 429>
    """

    def __init__(self, kind: str, message: str, *, retry: float = 1.0, **details: object) -> None:
        super().__init__(message)
        self.kind, self.status = kind, _STATUS[kind]
        self.retry = round(max(retry, _SOONEST), 3) if kind in _RETRIED else None
        self._details = details

    def details(self) -> dict[str, object]:
        return self._details | ({} if self.retry is None else {"retry_after_s": self.retry})


def status_of(error: UnrolledError) -> HTTPStatus:
    """The status of an answer that is this error."""
    match error:
        case Refused():
            return error.status
        case DataError():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case UsageError() | ModelError():
            return HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR


def known(error: Exception) -> UnrolledError:
    """An error as a client sees it: only the type of one that was not raised on purpose."""
    return error if isinstance(error, UnrolledError) else UnrolledError(f"internal error ({type(error).__name__})")


def retry_after(error: UnrolledError) -> dict[str, str]:
    """The header that says when to try again, where it is worth it; whole seconds, at least one."""
    retry = error.retry if isinstance(error, Refused) else None
    return {} if retry is None else {"retry-after": str(math.ceil(retry))}


def kind_of(error: UnrolledError) -> str:
    """Its type in an answer."""
    return error.kind if isinstance(error, Refused) else type(error).__name__


def told_at(path: str, error: UnrolledError) -> dict[str, Any] | str:
    """An error as the protocol of a path wants it: a sentence in the Open Inference Protocol, else `about`."""
    return str(error) if path.startswith("/v2") else about(error)


def about(error: UnrolledError) -> dict[str, Any]:
    """An error as it stands in an answer.

    >>> about(DataError("is empty", column="x"))["column"]
    'x'
    """
    told = {name: value for name, value in error.details().items() if value is not None}
    return {"type": kind_of(error), "message": str(error), "exit_code": error.exit_code, **told}
