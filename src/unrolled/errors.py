"""Every error that Unrolled raises on purpose, and the exit code that the command line gives it.

::

    UnrolledError            1    anything of ours that went wrong
    ├── UsageError           2    an unknown flag, name or value ("did you mean"); also a ValueError
    ├── DataError            3    bad data: names file, row and column, and what to do
    ├── ModelError           4    a run directory that is missing, cut short, newer than us, or not ours
    ├── SpaceError           5    no space or memory left; what was saved before is intact
    ├── ShapeError           1    a tensor of the wrong shape, dtype or device; also a ValueError
    ├── TrainingError        1    training cannot go on (ten non-finite steps in a row)
    ├── MissingExtra         1    an optional dependency is absent: gives the exact pip line
    └── Interrupted     130, 143  SIGINT or SIGTERM, after saving
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = [
    "IN_MEMORY",
    "DataError",
    "Interrupted",
    "MissingExtra",
    "ModelError",
    "Origin",
    "ShapeError",
    "SpaceError",
    "TrainingError",
    "UnrolledError",
    "UsageError",
    "as_flags",
    "did_you_mean",
    "lacking",
    "named",
]

_AS_FLAGS: ContextVar[bool] = ContextVar("as_flags", default=False)


class UnrolledError(Exception):
    """The root: one clear sentence, and the exit code of the process that stops on it."""

    exit_code = 1

    def details(self) -> dict[str, object]:
        """What ``--json`` prints beside the sentence."""
        return {}


class UsageError(UnrolledError, ValueError):
    """A name, flag or value that we do not know."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of a table are from: a file, or a folder whose files' rows stand one below the other.

    Attributes:
        name: what to call it: a path, or ``your data``.
        files: of a folder, each file in the order of its rows, and how many it has.

    Example:
        >>> Origin("notes", (("notes/a.csv", 2), ("notes/b.csv", 3))).place(4)
        ('notes/b.csv', 2)
    """

    name: str
    files: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return self.name

    def place(self, row: int) -> tuple[str, int]:
        """The file that holds ``row``, and its number there, both from 1."""
        for file, rows in self.files:
            if row <= rows:
                return file, row
            row -= rows
        return self.name, row


IN_MEMORY = Origin("your data")  # what to call data that came from no file


class DataError(UnrolledError):
    """Bad data: ``file``, ``row`` (from 1, the header not counted) and ``column`` say where, ``hint`` what to do."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        file: str | Origin | None = None,
        row: int | None = None,
        column: str | None = None,
        hint: str | None = None,
    ) -> None:
        if isinstance(file, Origin):
            file, row = (file.name, None) if row is None else file.place(row)
        self.file, self.row, self.column, self.hint = file, row, column, hint
        place = [file] if file else []
        place += [f"row {row}"] if row is not None else []
        place += [f"column {column!r}"] if column else []
        text = f"{', '.join(place)}: {message}" if place else message
        super().__init__(f"{text} ({hint})" if hint else text)

    def details(self) -> dict[str, object]:
        return {"file": self.file, "row": self.row, "column": self.column, "hint": self.hint}


class ModelError(UnrolledError):
    """A run directory that cannot be used."""

    exit_code = 4


class SpaceError(UnrolledError):
    """The disk, a file-size limit or the memory is exhausted."""

    exit_code = 5


class ShapeError(UnrolledError, ValueError):
    """A tensor whose shape, dtype or device does not fit; names the argument, what came and what was expected."""


class TrainingError(UnrolledError):
    """Training cannot go on; the last good checkpoint is kept."""


class MissingExtra(UnrolledError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'unrolled[{extra}]'")


class Interrupted(UnrolledError):
    """A signal asked the run to stop; its state was saved first."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``" Did you mean 'lstm'?"`` and the known names, to be appended to an error about ``name``.

    >>> did_you_mean("lstn", ["gru", "lstm"])
    " Did you mean 'lstm'? Known: gru, lstm."
    """
    names = sorted(known)
    close = _closest(name, names)
    guess = f" Did you mean {close!r}?" if close else ""
    return f"{guess} Known: {', '.join(names)}."


def lacking(column: str, data: Origin | str, known: Iterable[str], does: str = "reads") -> DataError:
    """The error about a column that a model reads (or answers) and that ``data``, whose columns are ``known``, lacks.

    >>> print(lacking("text", "new.csv", ["id", "txt"]))
    the model reads the column 'text', which new.csv lacks; it has: id, txt (did you mean 'txt'?)
    """
    names = list(known)
    close = _closest(column, names)
    message = f"the model {does} the column {column!r}, which {data} lacks; it has: {', '.join(names) or 'none'}"
    error = DataError(message, hint=f"did you mean {close!r}?" if close else None)
    error.file, error.column = data.name if isinstance(data, Origin) else None, column  # the sentence names them itself
    return error


def _closest(name: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.5)), None)


def named(option: str) -> str:
    """An option as the user of the moment knows it: an argument in Python, a flag on the command line.

    >>> named("min_count")
    'min_count'
    >>> with as_flags():
    ...     named("min_count")
    '--min-count'
    """
    return f"--{option.replace('_', '-')}" if _AS_FLAGS.get() else option


@contextmanager
def as_flags() -> Iterator[None]:
    """Inside this block, messages name options as flags of the command line."""
    before = _AS_FLAGS.set(True)
    try:
        yield
    finally:
        _AS_FLAGS.reset(before)
