"""The errors that Unrolled raises, and their exit codes on the command line.

::

    UnrolledError            1    the base class of all others
    ├── UsageError           2    an unknown option, name or value ("did you mean"); also a ValueError
    │   └── WrongType        2    an argument of the wrong type; also a TypeError
    ├── DataError            3    bad data: the message names file, row and column, and what to do
    ├── ModelError           4    a run directory that is missing, incomplete, too new, or not a run
    ├── SpaceError           5    no disk space or memory left; what was saved before is intact
    ├── ShapeError           1    a tensor of the wrong shape, dtype or device; also a ValueError and a RuntimeError
    ├── TrainingError        1    training cannot continue (ten non-finite steps in a row)
    ├── MissingExtra         1    an optional package is not installed; the message has the pip command
    ├── Elsewhere             …    an error of another rank of the same training, which reports it; its exit code
    └── Interrupted     130, 143  SIGINT or SIGTERM, after saving
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = [
    "IN_MEMORY",
    "DataError",
    "Elsewhere",
    "Interrupted",
    "MissingExtra",
    "ModelError",
    "Origin",
    "ShapeError",
    "SpaceError",
    "TrainingError",
    "UnrolledError",
    "UsageError",
    "WrongType",
    "as_flags",
    "command",
    "counted",
    "did_you_mean",
    "lacking",
    "named",
    "reason_of",
]

_AS_FLAGS: ContextVar[bool] = ContextVar("as_flags", default=False)


class UnrolledError(Exception):
    """The base class of all errors: a sentence for the user, and the exit code of the command line."""

    exit_code = 1

    def details(self) -> dict[str, object]:
        """Further fields of the error in JSON output."""
        return {}


class UsageError(UnrolledError, ValueError):
    """An option, name or value that is unknown, out of range or without effect."""

    exit_code = 2


class WrongType(UsageError, TypeError):
    """An argument of the wrong type."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of a table come from: a file, or a folder whose files are read one after another.

    Attributes:
        name: its name in messages: a path, or ``your data``.
        files: for a folder, each file in the order of its rows, with its number of rows.

    Example:
        >>> Origin("notes", (("notes/a.csv", 2), ("notes/b.csv", 3))).place(4)
        ('notes/b.csv', 2)
    """

    name: str
    files: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return self.name

    def place(self, row: int) -> tuple[str, int]:
        """The file that holds ``row`` (from 1), and the number of the row in that file (from 1)."""
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
        self.message, self.file, self.row, self.column, self.hint = message, file, row, column, hint
        place = [file] if file else []
        place += [f"row {row}"] if row is not None else []
        place += [f"column {column!r}"] if column else []
        text = f"{', '.join(place)}: {message}" if place else message
        super().__init__(f"{text} ({hint})" if hint else text)

    def below(self, rows: int) -> DataError:
        """The same error about data that has ``rows`` more rows before it."""
        row = None if self.row is None else self.row + rows
        return DataError(self.message, file=self.file, row=row, column=self.column, hint=self.hint)

    def details(self) -> dict[str, object]:
        return {"file": self.file, "row": self.row, "column": self.column, "hint": self.hint}


class ModelError(UnrolledError):
    """A run directory that cannot be used."""

    exit_code = 4


class SpaceError(UnrolledError):
    """The disk or the memory is full, or a file-size limit was reached."""

    exit_code = 5


class ShapeError(UnrolledError, ValueError, RuntimeError):
    """A tensor whose shape, dtype or device is wrong; the message names the argument, and what was expected.

    torch raises a `RuntimeError` in these cases, so programs written for torch catch it too.
    """


class TrainingError(UnrolledError):
    """Training cannot continue; the last good checkpoint is kept."""


class MissingExtra(UnrolledError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'unrolled[{extra}]'")


class Elsewhere(UnrolledError):
    """An error of another rank of the same training, which reports it; here it only ends the process."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(UnrolledError):
    """A signal stopped the run, after its state was saved."""

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


def counted(number: int, one: str, many: str = "") -> str:
    """A number with the noun that fits it, for a message.

    >>> counted(1, "row"), counted(2, "row"), counted(0, "step is", "steps are")
    ('1 row', '2 rows', '0 steps are')
    """
    return f"{number} {one}" if number == 1 else f"{number} {many or f'{one}s'}"


def named(option: str) -> str:
    """The name of an option in a message: a keyword argument in Python, a flag on the command line.

    >>> named("min_count")
    'min_count'
    >>> with as_flags():
    ...     named("min_count")
    '--min-count'
    """
    return f"--{option.replace('_', '-')}" if _AS_FLAGS.get() else option


def command(source: str, options: Mapping[str, object]) -> str:
    """A complete call of ``fit`` for a message: a line for a shell, or a call in Python.

    >>> print(command("air.csv", {"order": "Date", "target": ("Passengers", "Fares"), "horizon": 12}))
    fit('air.csv', order='Date', target=['Passengers', 'Fares'], horizon=12)
    >>> with as_flags():
    ...     print(command("my air.csv", {"target": ("Passengers",), "kinds": {"Date": "calendar"}, "crf": True}))
    unrolled fit 'my air.csv' --target Passengers --kinds Date=calendar --crf
    """
    if not _AS_FLAGS.get():
        name = "data" if source == IN_MEMORY.name else repr(source)
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
        target = values.get("target")
        if isinstance(target, list) and len(target) == 1:  # no other list may be given as its only value
            values["target"] = target[0]
        return f"fit({', '.join([name, *(f'{key}={value!r}' for key, value in values.items())])})"
    words = ["unrolled", "fit", shlex.quote("-" if source == "standard input" else source)]
    for key, value in options.items():
        if isinstance(value, bool):
            words.append(named(key if value else f"no_{key}"))
        elif isinstance(value, Mapping):
            words += [f"{named(key)} {shlex.quote(f'{name}={one}')}" for name, one in value.items()]
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
            words.append(f"{named(key)} {shlex.quote(text)}")
    return " ".join(words)


def reason_of(error: Exception, most: int = 200) -> str:
    r"""The first line of what a foreign library says, to be quoted in a message; or the kind of the error, if nothing.

    >>> reason_of(ValueError("bad header at byte 7\nTraceback")), reason_of(EOFError())
    ('bad header at byte 7', 'EOFError')
    """
    return (str(error).splitlines() or [type(error).__name__])[0][:most]


@contextmanager
def as_flags() -> Iterator[None]:
    """Make messages name options as command-line flags inside this block."""
    before = _AS_FLAGS.set(True)
    try:
        yield
    finally:
        _AS_FLAGS.reset(before)
