"""``unrolled stream``: predict live, line by line from standard input."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from unrolled.cli.output import Told, emit, note
from unrolled.cli.rows import LONGEST_LINE, Rows
from unrolled.errors import DataError, Interrupted, ModelError
from unrolled.storage.directories import write_file

__all__ = ["stream"]

_LARGEST_SNAPSHOT = 1 << 32


def stream(
    run: str,
    /,
    *,
    snapshot: str | None = None,
    restore: str | None = None,
    device: str = "auto",
    told: Told | None = None,
) -> int:
    """Answer each line of stdin with a line of JSON on stdout, before the next line is read.

    A line is a JSON object `{"column": value}`; a row of CSV, after a header or in the column order of the training
    file; or, if the model reads a single column, only the value. A line that cannot be read is answered with an error
    and does not change the session; the exit code is then 3. A row whose time is not the next one, as the training
    data goes on, is answered with a warning on stderr.

    Args:
        run: The run directory that fit wrote; a bidirectional model cannot stream.
        snapshot: Save the session to this file at the end, even if SIGINT or SIGTERM ends it.
        restore: Continue the session in this file.
        device: cpu, cuda, or auto: a GPU if there is one. Default: auto.
    """
    told = told or Told()
    from unrolled import api

    trained = api.load(run)
    session = trained.stream(None if restore is None else _read_snapshot(Path(restore)), device=device)
    rows = Rows(trained)
    bad = 0
    try:
        with _between_lines() as may_stop:
            for number, line in enumerate(_lines(sys.stdin.buffer, may_stop), 1):
                try:
                    value = rows.parse(line)
                    answer = None if value is None else session.push(value)
                except DataError as error:
                    bad += 1
                    about = {"type": "DataError", "message": f"line {number}: {error}", "exit_code": error.exit_code}
                    emit({"error": about | error.details() | {"line": number}})
                else:
                    if answer is not None:
                        print(json.dumps(answer, ensure_ascii=False, default=str), flush=True)
    finally:
        if snapshot is not None:
            write_file(Path(snapshot), session.snapshot())
            note(f"session saved: {snapshot}; continue it with --restore {snapshot}", quiet=told.quiet)
    if odd := session.noticed():
        note(odd, quiet=told.quiet)
    if bad:
        note(f"{bad} lines could not be read", quiet=told.quiet)
    return DataError.exit_code if bad else 0


def _lines(file: BinaryIO, may_stop: Stops) -> Iterator[bytes]:
    while True:
        with may_stop:
            line = file.readline(LONGEST_LINE + 1)
        if not line:
            return
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):  # skip the rest of a line that is too long
            rest = file.readline(LONGEST_LINE + 1)
        yield line


class Stops:
    """Lets a signal end the stream at once inside the block; outside it, when the block is entered next.

    So a line is answered completely or not at all, and a snapshot never holds a step whose answer was not printed.
    """

    def __init__(self) -> None:
        self._inside, self._came = False, 0

    def on(self, number: int, _: object) -> None:
        """Handle a signal: stop now inside the block, else when it is entered next."""
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
            raise ModelError(f"{path} is too large for a snapshot")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the snapshot cannot be read: {error.strerror}") from None
