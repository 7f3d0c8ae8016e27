"""Requests over a network that fail now and then are made again, each time after a longer wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from unrolled.errors import DataError, UnrolledError, reason_of

__all__ = ["tried"]

T = TypeVar("T")
_ATTEMPTS = 9  # where one request of five fails, all fail once in two million requests
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 20.0  # seconds
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError, ImportError, UnrolledError)
_REFUSED = ("ACCESS_DENIED", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NO_SUCH_BUCKET", "NO_SUCH_KEY")


def tried(request: Callable[[], T], address: str) -> T:
    """The result of ``request``, which is made again where it fails for a reason that may pass.

    Args:
        request: what asks the store.
        address: what is asked for, for the message.

    Raises:
        DataError: there is no such file, the store refuses, or the last attempt failed too.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return request()
        except UnrolledError:
            raise
        except FileNotFoundError:
            raise DataError("there is no such file", file=address) from None
        except Exception as error:  # of any library
            last = attempt + 1 == _ATTEMPTS
            if last or isinstance(error, _FINAL) or any(word in str(error) for word in _REFUSED):
                often = f" ({_ATTEMPTS} attempts failed)" if last else ""
                hint = "credentials and the region are taken from the environment"
                raise DataError(f"cannot be read{often}: {reason_of(error)}", file=address, hint=hint) from None
        time.sleep(min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1))
    raise AssertionError("the last attempt returns or raises")
