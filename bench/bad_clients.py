"""Eight clients that a server must survive, all at once: requirement S9.

    python bench/bad_clients.py PORT SECONDS

Each is a thread that does one wrong thing until its time is over, and counts how often. None ever needs an answer.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from load import frame

__all__ = ["BAD", "run"]

_HANDSHAKE = (
    b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_STEP = frame(b'{"x":{"load":1,"temperature":2}}')
_NUMBER = b"1" * 1_000_000
Doing = Iterator[None]


def flood(port: int) -> Doing:
    """Sends steps without reading an answer."""
    with connected(port) as one:
        one.setblocking(False)
        while True:
            try:
                one.send(_STEP * 100)
            except BlockingIOError:
                time.sleep(0.001)
            yield


def half_a_frame(port: int) -> Doing:
    """Says that a message is coming, sends half of it, and waits."""
    while True:
        with connected(port) as one:
            one.sendall(_STEP[: len(_STEP) // 2])
            for _ in range(20):
                time.sleep(0.02)
                yield


def junk(port: int) -> Doing:
    """Sends what is no JSON, no WebSocket, no HTTP."""
    dice = random.Random(0)
    for text in _turns(
        [b'{"x":', b"[" * 5000, b"\xff\xfe", b"null", b'{"n":-1,"x":1}', b'{"y":1}', b"[]", b'{"xs":[]}']
    ):
        with connected(port) as one:
            one.sendall(frame(text) + dice.randbytes(50))
            quietly(lambda one=one: one.recv(1000))  # type: ignore[misc]
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            one.sendall(dice.randbytes(200) + b"\r\n\r\n")
        time.sleep(0.005)
        yield


def wrong_types(port: int) -> Doing:
    """Sends values of the wrong types over one connection, all of which are answered."""
    wrong = [
        "abc",
        None,
        [],
        {},
        {"load": "x", "temperature": []},
        {"load": {"a": 1}},
        [[1]],
        True,
        {"load": 1e999},
        -0.0,
    ]
    with connected(port) as one:
        for value in _turns(wrong):
            one.sendall(frame(json.dumps({"x": value}).encode()))
            one.recv(65536)
            yield


def long_numbers(port: int) -> Doing:
    """Sends numbers of a million digits, which no frame may hold."""
    while True:
        with connected(port) as one:
            quietly(lambda one=one: one.sendall(frame(b'{"x":{"load":' + _NUMBER + b"}}")))  # type: ignore[misc]
            quietly(lambda one=one: one.recv(1000))  # type: ignore[misc]
        yield


def leaving(port: int) -> Doing:
    """Closes its connection at every point of a step."""
    places = range(0, len(_HANDSHAKE) + len(_STEP), 7)
    for place in _turns(list(places)):
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            if place < len(_HANDSHAKE):
                one.sendall(_HANDSHAKE[:place])
            else:
                one.sendall(_HANDSHAKE)
                one.recv(4096)
                one.sendall(_STEP * 3 + _STEP[: place - len(_HANDSHAKE)])
        time.sleep(0.002)
        yield


def slow_handshakes(port: int) -> Doing:
    """Opens connections and sends a byte of the handshake now and then."""
    opened: list[socket.socket] = []
    try:
        for turn in range(1_000_000):
            if len(opened) < 200:
                opened.append(socket.create_connection(("127.0.0.1", port), 5))
            one = opened[turn % len(opened)]
            quietly(lambda one=one, turn=turn: one.send(_HANDSHAKE[turn // 200 % 50 :][:1]))  # type: ignore[misc]
            time.sleep(0.002)
            yield
    finally:
        for one in opened:
            one.close()


def long_messages(port: int) -> Doing:
    """Sends messages of as many steps as there may be, one after the other."""
    values = ",".join('{"load":1,"temperature":2}' for _ in range(256))
    message = frame(f'{{"xs":[{values}]}}'.encode())
    with connected(port) as one:
        while True:
            one.sendall(message)
            one.recv(1 << 20)
            yield


BAD: dict[str, Callable[[int], Doing]] = {
    doing.__name__: doing
    for doing in (flood, half_a_frame, junk, wrong_types, long_numbers, leaving, slow_handshakes, long_messages)
}


def connected(port: int) -> socket.socket:
    """A WebSocket whose handshake is done."""
    one = socket.create_connection(("127.0.0.1", port), 5)
    one.sendall(_HANDSHAKE)
    found = b""
    while b"\r\n\r\n" not in found and (piece := one.recv(4096)):
        found += piece
    return one


def quietly(doing: Callable[[], object]) -> None:
    """Do it, whether or not the server has closed the connection."""
    with contextlib.suppress(OSError):
        doing()


def run(port: int, seconds: float) -> dict[str, int]:
    """All of them at once, for some seconds; how often each did what it does."""
    end, counts = time.monotonic() + seconds, dict.fromkeys(BAD, 0)

    def go_on(name: str) -> None:
        while time.monotonic() < end:
            try:
                for _ in BAD[name](port):
                    counts[name] += 1
                    if time.monotonic() >= end:
                        return
            except OSError:  # the server has closed the connection: begin anew
                time.sleep(0.01)

    threads = [threading.Thread(target=go_on, args=(name,)) for name in BAD]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 30)
    return counts


def _turns(things: list[object]) -> Iterator[object]:
    for turn in range(1_000_000):
        yield things[turn % len(things)]


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), float(sys.argv[2]))), flush=True)
