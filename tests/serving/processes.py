"""Servers in processes of their own, which tests end, kill and start again."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import warm

__all__ = ["Running", "running"]

_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")
_LONGEST = 60.0  # seconds until a server has started, or ended


class Running:
    """A server: its process and its port."""

    def __init__(self, process: warm.Process, port: int) -> None:
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}"

    @property
    def mebibytes(self) -> float:
        """Memory that it holds."""
        return _mebibytes(self.process.pid)

    @property
    def mebibytes_in_all(self) -> float:
        """Memory that it and the process of its predictions hold."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return self.mebibytes + sum(_mebibytes(int(child)) for child in children)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return self.process.wait()


def _mebibytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / (1 << 20)


@contextmanager
def running(run: Path, *flags: object, port: int = 0, seconds: int = 60) -> Iterator[Running]:
    """``unrolled serve run flags``, for as long as the block lasts, and no longer than some seconds."""
    program = f"import signal; signal.alarm({seconds})\n{warm.COMMAND_LINE}"  # it ends, whatever happens here
    with (
        tempfile.NamedTemporaryFile("w+") as log,
        warm.Process(program, "serve", run, "--port", port, *flags, stdout=log, stderr=log) as process,
    ):
        server = Running(process, _listening(Path(log.name), process))
        try:
            yield server
        finally:
            server.end(signal.SIGKILL)


def _listening(log: Path, process: warm.Process) -> int:
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        if found := _PORT.search(log.read_text()):
            return int(found[1])
        if not Path(f"/proc/{process.pid}").exists():
            break
        time.sleep(0.01)
    raise AssertionError(f"the server did not start: {log.read_text()}")
