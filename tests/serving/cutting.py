"""A network that fails: a relay in front of a server that cuts connections after a random number of bytes."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Cutting", "cutting"]


class Cutting:
    """A relay to ``port``. After a connection has carried a random number of bytes in either direction, it is reset.

    Args:
        port: of the server.
        seed: of the numbers.
        most: bytes; half of the connections are cut within the first half of it.
    """

    def __init__(self, port: int, seed: int, most: int) -> None:
        self._to, self._random, self._most = port, random.Random(seed), most
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cuts = 0
        self.whole = False  # whether it cuts no more
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            budget = [self._random.randrange(self._most)]
            for source, target in ((near, far), (far, near)):
                thread = threading.Thread(target=self._carry, args=(source, target, budget), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, target: socket.socket, budget: list[int]) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                if not self.whole:
                    sent, budget[0] = data[: max(0, budget[0])], budget[0] - len(data)
                    if budget[0] < 0:
                        target.sendall(sent)
                        self.cuts += 1
                        break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def cutting(port: int, seed: int, most: int) -> Iterator[Cutting]:
    """A relay for as long as the block lasts."""
    relay = Cutting(port, seed, most)
    try:
        yield relay
    finally:
        relay.close()
