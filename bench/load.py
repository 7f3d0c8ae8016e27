"""A load generator for ``unrolled serve``: thousands of connections in one process, each with one message under way.

    echo '{"port": 8080, "connections": 100, "seconds": 2}' | python bench/load.py

It reads one plan (see `Plan`) and prints one line of JSON: how many steps were answered, how long each message took,
what was refused, and what the server used. Frames of WebSockets are written and read by hand, with a mask of zeros,
since a library costs more than the server that is measured. It is bounded in connections, messages and time.
"""

from __future__ import annotations

import collections
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Load", "Plan", "cpu_of", "frame", "main", "rss_of"]

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_TOGETHER = 64  # connections that are opened side by side
_MOST = 5_000_000  # messages


@dataclass
class Plan:
    """What to do.

    Attributes:
        port: of the server, on 127.0.0.1.
        pid: its process, whose time and memory are measured; 0: they are not.
        connections: how many.
        path: of a WebSocket, or of requests where ``post`` is given.
        post: whether messages are requests of HTTP.
        greets: whether the server speaks first.
        messages: texts that are sent in turn; ``{session}`` in them is the session of the connection.
        steps: how many steps a message holds.
        rate: messages a second over all connections (an open loop: time counts from when one was due); 0: the next
            message of a connection goes when the last one is answered.
        warm, seconds: how long to go on before anything counts, and then.
        rounds: end after so many messages of each connection, where that comes first.
        sessions: sessions of the connections, to go on with; the answer has those that there were.
    """

    port: int
    connections: int
    path: str = "/v1/live"
    post: bool = False
    greets: bool = True
    messages: list[str] = field(default_factory=lambda: ['{"x":{"load":1.5,"temperature":12}}'])
    steps: int = 1
    rate: float = 0.0
    warm: float = 0.5
    seconds: float = 2.0
    rounds: int = 0
    sessions: list[str] = field(default_factory=list)
    pid: int = 0


class Connection:
    """One connection: its socket, what came of the next message, and when the one under way was due and was sent."""

    __slots__ = ("buffer", "due", "rounds", "sent", "session", "socket", "turn")

    def __init__(self, opened: socket.socket, turn: int) -> None:
        self.socket, self.buffer, self.turn = opened, bytearray(), turn
        self.due = self.sent = 0.0
        self.session, self.rounds = "", 0


class Load:
    """The connections of a plan, and what came of them.

    Args:
        plan: what to do.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.took: list[float] = []  # seconds of each message that was answered
        self.when: list[float] = []  # and when, after the beginning
        self.refused: collections.Counter[str] = collections.Counter()
        self.refusals: list[float] = []  # seconds of each message that was refused, since it was sent
        self.waits: list[float] = []  # the same of those that were answered
        self.retried = 0  # refusals that say when to come again
        self.closed = 0
        self.cpu = 0.0  # seconds of the server while it counted
        self._poll = select.epoll()
        self._by_file: dict[int, Connection] = {}
        self._ready: dict[tuple[int, str], bytes] = {}

    def open(self) -> float:
        """Open all connections; the seconds that it took."""
        start = time.perf_counter()
        for first in range(0, self.plan.connections, _TOGETHER):
            some = range(first, min(first + _TOGETHER, self.plan.connections))
            opened = [Connection(socket.create_connection(("127.0.0.1", self.plan.port), 30), turn) for turn in some]
            for one in opened:
                one.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not self.plan.post:
                    one.socket.sendall(self._handshake(one.turn))
            for one in opened:
                if not self.plan.post:
                    self._greeted(one)
                self._by_file[one.socket.fileno()] = one
                self._poll.register(one.socket.fileno(), select.EPOLLIN)
        return time.perf_counter() - start

    def run(self) -> float:
        """Send and receive for as long as the plan says; the seconds that counted."""
        plan, now = self.plan, time.perf_counter
        begin, used = now(), None
        start, end = begin + plan.warm, begin + plan.warm + plan.seconds
        idle = collections.deque(self._by_file.values())
        due, sent, under_way = begin, 0, 0
        while (t := now()) < end and sent < _MOST and self._by_file:
            if used is None and t >= start:
                used = cpu_of(plan.pid)
            while idle and (not plan.rate or due <= t):
                one = idle.popleft()
                if plan.rounds and one.rounds >= plan.rounds:
                    continue
                one.sent = now()
                one.due = due if plan.rate else one.sent
                due += 1 / plan.rate if plan.rate else 0
                self._send(one)
                sent, under_way = sent + 1, under_way + 1
            if plan.rounds and not under_way:
                break
            wait = max(0.0, min(0.05, due - now())) if plan.rate and idle else 0.05
            for file, _ in self._poll.poll(wait, 1024):
                one = self._by_file[file]
                for message in self._received(one):
                    self._count(message, now(), one, start)
                    under_way -= 1
                    idle.append(one)
        self.cpu = cpu_of(plan.pid) - (used or 0.0)
        return now() - start

    def close(self) -> list[str]:
        """Close all connections; their sessions."""
        for one in self._by_file.values():
            one.socket.close()
        return [one.session for one in self._by_file.values()]

    def _count(self, message: bytes, now: float, one: Connection, start: float) -> None:
        if now < start:
            return
        if b'"error"' not in message:
            self.took.append(now - one.due)
            self.waits.append(now - one.sent)
            self.when.append(now - start)
            return
        self.refusals.append(now - one.sent)
        error = _error_in(json.loads(message))
        self.refused[str(error["type"])] += 1
        self.retried += "retry_after_s" in error

    def _send(self, one: Connection) -> None:
        text = self.plan.messages[(one.turn + one.rounds) % len(self.plan.messages)]
        one.rounds += 1
        key = (one.turn if "{session}" in text else -1, text)
        if (ready := self._ready.get(key)) is None:
            ready = self._ready[key] = self._written(text.replace("{session}", one.session))
        one.socket.sendall(ready)

    def _written(self, text: str) -> bytes:
        if not self.plan.post:
            return frame(text.encode())
        head = (
            f"POST {self.plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        )
        return f"{head}{len(text.encode())}\r\n\r\n{text}".encode()

    def _received(self, one: Connection) -> Iterator[bytes]:
        try:
            data = one.socket.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(one)
            return
        one.buffer += data
        yield from _bodies(one.buffer) if self.plan.post else self._messages(one)

    def _messages(self, one: Connection) -> Iterator[bytes]:
        for kind, payload in _frames(one.buffer):
            if kind == _TEXT:
                yield payload
            elif kind == _PING:
                one.socket.sendall(frame(payload, _PONG))
            elif kind == _CLOSE:
                self._lost(one)
                return

    def _lost(self, one: Connection) -> None:
        self.closed += 1
        file = one.socket.fileno()
        if file >= 0:
            self._poll.unregister(file)
            del self._by_file[file]
            one.socket.close()

    def _handshake(self, turn: int) -> bytes:
        sessions = self.plan.sessions
        path = f"{self.plan.path}?session={sessions[turn]}" if sessions else self.plan.path
        return (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

    def _greeted(self, one: Connection) -> None:
        while b"\r\n\r\n" not in one.buffer:
            one.buffer += one.socket.recv(4096) or _ended(one.buffer)
        head, _, rest = bytes(one.buffer).partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.decode(errors="replace"))
        one.buffer = bytearray(rest)
        while self.plan.greets:
            for _, payload in _frames(one.buffer):
                one.session = json.loads(payload)["session"]
                return
            one.buffer += one.socket.recv(4096) or _ended(one.buffer)


def frame(payload: bytes, kind: int = _TEXT) -> bytes:
    """A message of a client, with a mask of zeros.

    >>> frame(b"hi").hex()
    '8182000000006869'
    """
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + struct.pack(">H", size)
    else:
        length = b"\xff" + struct.pack(">Q", size)
    return bytes([0x80 | kind]) + length + b"\0\0\0\0" + payload


def _frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """The whole messages at the beginning of ``buffer``, which are taken out of it: kind and payload."""
    while len(buffer) >= 2:
        size, at = buffer[1] & 0x7F, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(buffer) < at:
                return
            size = int.from_bytes(buffer[2:at])
        if len(buffer) < at + size:
            return
        kind, payload = buffer[0] & 0x0F, bytes(buffer[at : at + size])
        del buffer[: at + size]
        yield kind, payload


def _bodies(buffer: bytearray) -> Iterator[bytes]:
    """The whole answers of HTTP at the beginning of ``buffer``, which are taken out of it."""
    while (end := buffer.find(b"\r\n\r\n")) >= 0:
        lengths = [line for line in bytes(buffer[:end]).lower().split(b"\r\n") if line.startswith(b"content-length:")]
        stop = end + 4 + int(lengths[0].split(b":")[1])
        if len(buffer) < stop:
            return
        body = bytes(buffer[end + 4 : stop])
        del buffer[:stop]
        yield body


def _error_in(message: Any) -> dict[str, Any]:
    """The first error in an answer, of one session or of many."""
    if isinstance(message, list):
        message = next(one for _, _, one, *_ in message if "error" in one)
    found: dict[str, Any] = message["error"]
    return found


def _ended(buffer: bytearray) -> bytes:
    raise ConnectionError(f"the server closed the connection after {bytes(buffer[:200])!r}")


def cpu_of(pid: int) -> float:
    """Seconds of processors that a process has used; 0 for the process 0."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_of(pid: int) -> float:
    """MiB of memory that a process holds; 0 for the process 0."""
    if not pid:
        return 0.0
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)


def _at(sorted_: list[float], share: float) -> float:
    """A quantile in milliseconds."""
    return sorted_[min(len(sorted_) - 1, int(share * len(sorted_)))] * 1e3 if sorted_ else 0.0


def main(text: str) -> dict[str, Any]:
    """Carry out a plan; what came of it."""
    plan = Plan(**json.loads(text))
    load = Load(plan)
    opened = load.open()
    seconds = load.run()
    took, refusals = sorted(load.took), sorted(load.refusals)
    by_second = collections.defaultdict(list)
    for when, one in zip(load.when, load.took, strict=True):
        by_second[int(when)].append(one)
    found = {
        "opened": opened,
        "seconds": seconds,
        "cpu_us": load.cpu / max(1, len(took) * plan.steps) * 1e6,
        "rss_mib": rss_of(plan.pid),
        "answers": len(took),
        "steps": len(took) * plan.steps,
        "steps_a_second": len(took) * plan.steps / seconds,
        **{f"p{share}": _at(took, share / 100) for share in (50, 90, 99)},
        "max": _at(took, 1.0),
        "wait_p99": _at(sorted(load.waits), 0.99),
        "refused": dict(load.refused),
        "refused_p99": _at(refusals, 0.99),
        "retried": load.retried,
        "closed": load.closed,
        "p99_by_second": [_at(sorted(by_second[second]), 0.99) for second in range(int(seconds) + 1)],
        "answers_by_second": [len(by_second[second]) for second in range(int(seconds) + 1)],
    }
    sessions = load.close()
    return {**found, "sessions": sessions if plan.rounds else []}


if __name__ == "__main__":
    print(json.dumps(main(sys.stdin.read())), flush=True)
