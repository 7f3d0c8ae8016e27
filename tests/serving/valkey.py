"""A Valkey or Redis on the loopback address, for tests; it keeps nothing and ends with them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

__all__ = ["SERVER", "free_port", "valkey"]

SERVER = shutil.which("valkey-server") or shutil.which("redis-server")


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def valkey() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server, and its port, for as long as the block lasts."""
    assert SERVER is not None
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--loglevel", "warning"]
    with subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 20
            while time.monotonic() < end:
                with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
                    break
                time.sleep(0.02)
            yield port, process
        finally:
            process.kill()
