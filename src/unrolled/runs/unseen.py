"""What data holds that a model did not learn from: it is said whenever the data is encoded, or once by who asks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["gathered", "say"]

_log = logging.getLogger(__name__)


class _Here(threading.local):
    """Where this thread's lines are kept; other threads go on warning."""

    kept: list[str] | None = None


_here = _Here()


def say(origin: object, lines: Iterable[str]) -> None:
    """Warn of what was found in the data ``origin``, or keep it for the caller of `gathered`."""
    for line in lines:
        if _here.kept is None:
            _log.warning("%s, %s", origin, line)
        elif line not in _here.kept:
            _here.kept.append(line)


@contextmanager
def gathered() -> Iterator[list[str]]:
    """The lines of the block, each of them once, instead of warnings."""
    before, _here.kept = _here.kept, []
    try:
        yield _here.kept
    finally:
        _here.kept = before
