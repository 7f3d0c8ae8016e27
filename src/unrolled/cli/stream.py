"""``unrolled stream``: answer one line of standard input at a time, live."""

from __future__ import annotations

import contextlib
import csv
import json as json_
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from unrolled.cli.output import emit, note
from unrolled.errors import DataError, Interrupted, ModelError
from unrolled.files import write_file

if TYPE_CHECKING:
    from unrolled.api import Trained

__all__ = ["stream"]

_LONGEST_LINE = 1 << 20  # bytes: memory stays bounded, whatever is sent
_LARGEST_SNAPSHOT = 1 << 32
_DEEPEST = 64  # brackets; Python's parser would overflow its stack on ten thousand


def stream(
    run: str,
    /,
    *,
    snapshot: str | None = None,
    restore: str | None = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Answer each line of stdin with a line of JSON on stdout, before the next is read.

    A line is a JSON object {"column": value}, a row of CSV (with the training file's header or without, in its order of
    columns), or, where the model reads a single column, the value alone. A line that cannot be read is answered with
    an error, leaves the session as it was, and makes the exit code 3 at the end.

    Args:
        run: The run directory that fit wrote; a model that reads in both directions cannot stream.
        snapshot: Save the session to this file at the end, also when SIGINT or SIGTERM ends it.
        restore: Go on from such a file.
        json: Answers and errors are JSON in any case.
        quiet: Say nothing on stderr.
    """
    from unrolled import api

    trained = api.load(run)
    session = trained.stream(None if restore is None else _read_snapshot(Path(restore)))
    rows = Rows(trained)
    bad = 0
    try:
        with _between_lines() as may_stop:
            for number, line in enumerate(_lines(sys.stdin.buffer, may_stop), 1):
                try:
                    value = rows.parse(line, number)
                    answer = None if value is None else session.push(value)
                except DataError as error:
                    bad += 1
                    about = {"type": "DataError", "message": f"line {number}: {error}", "exit_code": error.exit_code}
                    emit({"error": about | error.details() | {"line": number}})
                else:
                    if answer is not None:
                        print(json_.dumps(answer, ensure_ascii=False, default=str), flush=True)
    finally:
        if snapshot is not None:
            write_file(Path(snapshot), session.snapshot())
            note(f"session saved: {snapshot}; go on with --restore {snapshot}", quiet=quiet)
    if bad:
        note(f"{bad} lines could not be read", quiet=quiet)
    return DataError.exit_code if bad else 0


class Rows:
    """Lines to rows, by what the first line looks like: JSON, CSV with a header, or CSV in the training order."""

    def __init__(self, trained: Trained) -> None:
        coder, config = trained.task.coder, trained.config
        self._needed = [
            c for name in coder.inputs for c in (coder.joined if name == coder.target and coder.joined else (name,))
        ]
        self._trained = list(config.columns)
        self._lists = {name for name, encoding in coder.inputs.items() if encoding.kind == "series"}
        self._texts = {name for name, encoding in coder.inputs.items() if encoding.kind == "tokens"}
        self._header: list[str] | None = None
        self._first = True

    def parse(self, line: bytes, number: int) -> Any:
        """What to push for a line; ``None`` for a header and for an empty line.

        Raises:
            DataError: it is neither JSON nor a row with the right number of cells.
        """
        text = self._text(line)
        if text is None:
            return None
        first, self._first = self._first, False
        if text.lstrip().startswith("{"):
            return self._json(text)
        cells = next(csv.reader([text]), [])
        if first and set(self._needed) <= set(cells):
            self._header = cells
            return None
        if (
            self._header is None
            and len(self._needed) == 1
            and not (len(cells) > 1 and len(cells) == len(self._trained))
        ):
            return {self._needed[0]: self._value(self._needed[0], text)}
        return self._row(cells)

    def _text(self, line: bytes) -> str | None:
        if len(line) > _LONGEST_LINE:
            raise DataError(f"is longer than {_LONGEST_LINE} bytes", file="standard input")
        try:
            text = line.decode("utf-8-sig" if self._first else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"byte 0x{line[error.start]:02x} is not UTF-8", file="standard input") from None
        return text if text.strip() or (text and self._texts) else None

    def _json(self, text: str) -> dict[str, Any]:
        if text.count("[") + text.count("{") > _DEEPEST and not self._lists:
            raise DataError("is nested too deep", file="standard input")
        try:
            value = json_.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"is not JSON: {error}", file="standard input", hint="one object a line") from None
        return dict(value)

    def _row(self, cells: list[str]) -> dict[str, Any]:
        for names in (self._header, self._needed, self._trained) if self._header is None else (self._header,):
            if names is not None and len(names) == len(cells):
                row = dict(zip(names, cells, strict=True))
                return {name: self._value(name, row[name]) for name in self._needed if name in row}
        expected = self._header or self._needed
        raise DataError(
            f"has {len(cells)} cells, expected {len(expected)}",
            file="standard input",
            hint=f"the columns are {', '.join(expected)}",
        )

    def _value(self, name: str, cell: str) -> Any:
        """A cell as its encoding wants it; encodings of numbers and labels read texts themselves."""
        if name in self._texts:
            return cell
        if name in self._lists and cell.lstrip().startswith("["):
            with contextlib.suppress(ValueError, RecursionError):
                return json_.loads(cell)
        return cell.strip() or None


def _lines(file: BinaryIO, may_stop: Stops) -> Iterator[bytes]:
    while True:
        with may_stop:
            line = file.readline(_LONGEST_LINE + 1)
        if not line:
            return
        rest = line
        while len(rest) > _LONGEST_LINE and not rest.endswith(b"\n"):  # what is too long is passed over to its end
            rest = file.readline(_LONGEST_LINE + 1)
        yield line


class Stops:
    """Inside the block a signal ends the stream at once; outside, when the block is entered next.

    So a line is answered wholly or not at all, and a snapshot never knows a step whose answer nobody saw.
    """

    def __init__(self) -> None:
        self._inside, self._came = False, 0

    def on(self, number: int, frame: object) -> None:
        self._came = number
        if self._inside:
            self._stop()

    def __enter__(self) -> None:
        self._inside = True
        if self._came:
            self._stop()

    def __exit__(self, *_: object) -> None:
        self._inside = False

    def _stop(self) -> None:
        self._inside = False
        raise Interrupted(f"stopped by {signal.Signals(self._came).name}", self._came)


@contextlib.contextmanager
def _between_lines() -> Iterator[Stops]:
    stops, before = Stops(), {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):  # not in the main thread, where no signal arrives
                before[number] = signal.signal(number, stops.on)
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_snapshot(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_SNAPSHOT:
            raise ModelError(f"{path}: is too large for a snapshot of a session")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the snapshot cannot be read: {error.strerror}") from None
