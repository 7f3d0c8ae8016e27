"""Addresses of files that lie elsewhere: ``s3://bucket/folder/``. They are written into runs, so they hold no keys."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from unrolled.errors import UsageError

__all__ = ["check_address", "is_address", "parts_of"]

_ADDRESS = re.compile(r"([a-z][a-z0-9+-]+)://", re.IGNORECASE)
_COLLAPSED = re.compile(r"(s3|gs|gcs|abfss?|hdfs|hf|https?|memory):/[^/]", re.IGNORECASE)
_HARMLESS = {"region", "scheme", "endpoint_override"}  # parts of a query that say where a store is
_CONTAINER = {"abfs", "abfss", "hdfs", "sftp", "ssh"}  # what stands before the @ is a container or a user


def is_address(source: Any) -> bool:
    """Whether ``source`` is the address of a file or a folder elsewhere, or several of them separated by commas.

    Raises:
        UsageError: it is an address that became a path, or the address of a local file.

    Example:
        >>> is_address("s3://bucket/reviews.csv"), is_address("reviews.csv")
        (True, False)
    """
    if not isinstance(source, str | os.PathLike):
        return False
    text = str(source)
    if _COLLAPSED.match(text) and not os.path.lexists(text):
        raise UsageError(f"{text} was an address before it became a path: give it as a str, with both slashes")
    found = _ADDRESS.match(text)
    if found is not None and found[1].lower() in ("file", "local"):
        raise UsageError(f"{text} is a file on this machine: give its path, without {found[0]}")
    return found is not None


def parts_of(source: Any) -> tuple[str, ...]:
    """The addresses in ``source``: one, or those of files that are read together line by line.

    Example:
        >>> parts_of("s3://b/train.en, s3://b/train.de")
        ('s3://b/train.en', 's3://b/train.de')
    """
    text = str(source)
    parts = tuple(part.strip() for part in text.split(","))
    return parts if all(_ADDRESS.match(part) for part in parts) else (text,)


def check_address(address: str) -> None:
    """Refuse an address that may hold a password, a key or a signature: it would be written into the run.

    Raises:
        UsageError: it does; the message does not repeat it.
    """
    scheme = address.partition("://")[0]
    found = urlsplit(address)
    user, at, host = found.netloc.rpartition("@")
    if at and (":" in user or scheme.lower() not in _CONTAINER):
        raise UsageError(
            f"the address {scheme}://…@{host}{found.path} holds a user name or a password, and addresses are written "
            "into the run: take it out, and give it in the environment"
        )
    parts = [part.partition("=") for part in found.query.split("&") if part]
    if doubtful := [name if equals else "something" for name, equals, _ in parts if name not in _HARMLESS]:
        asked = f"{', '.join(doubtful)} after the question mark"
        raise UsageError(
            f"the address {scheme}://{found.netloc}{found.path} has {asked}, which may be a key, and addresses are "
            "written into the run: give the plain address, or fetch the file first"
        )
