"""A server that ends, or is killed, while sessions are under way: every answer is that of an uninterrupted stream."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import warm
from serving.loopback import Loopback
from serving.test_sockets import value

from unrolled.client.awaited import AsyncClient
from unrolled.runs.trained import Trained


def process(run: Path, port: int, store: Path) -> warm.Process:
    words = ("serve", run, "--port", port, "--store", store, "--checkpoint-every", "0.1", "--quiet")
    return warm.Process(warm.COMMAND_LINE, *words, stderr=subprocess.PIPE)


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def pushing(port: int, of: int, until: asyncio.Event, answers: list[Any]) -> None:
    async with AsyncClient(f"http://127.0.0.1:{port}", patience=30).session() as live:
        while not until.is_set():
            answers.append(await live.push(value(len(answers), of)))
            await asyncio.sleep(0.005)


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_answer_is_lost_or_given_twice(load: Trained, tmp_path: Path, number: int, times: Any) -> None:
    port, sessions, ends = free_port(), times(8, 200), times(1, 20)
    codes: list[int] = []
    answers: list[list[Any]] = [[] for _ in range(sessions)]

    async def running() -> None:
        until = asyncio.Event()
        tasks = []
        for round_ in range(ends + 1):
            with process(load.folder, port, tmp_path / "kept") as server:
                if not tasks:
                    tasks = [asyncio.create_task(pushing(port, of, until, answers[of])) for of in range(sessions)]
                before = [len(each) for each in answers]
                for _ in range(2_000):  # every session goes on before the next end
                    await asyncio.sleep(0.01)
                    if all(len(each) > start + 2 for each, start in zip(answers, before, strict=True)):
                        break
                if round_ == ends:
                    until.set()
                    await asyncio.gather(*tasks)
                await asyncio.sleep(0.03 * round_)
                server.send_signal(number)
                codes.append(await asyncio.to_thread(server.wait))

    asyncio.run(running())
    assert codes == [143 if number == signal.SIGTERM else -signal.SIGKILL] * (ends + 1)
    for of, each in enumerate(answers):
        live = load.stream()
        assert len(each) > 2 * ends
        assert each == [live.push(value(n, of)) for n in range(len(each))]


def test_a_second_signal_ends_at_once(load: Trained, tmp_path: Path) -> None:
    port = free_port()
    with process(load.folder, port, tmp_path / "kept") as server:
        here = Loopback(port, None)  # type: ignore[arg-type]
        for _ in range(500):
            try:
                here.ask("GET", "/healthz")
                break
            except OSError:
                time.sleep(0.02)
        # A client that reads nothing holds up the drain, but not the second signal.
        with here.connect() as socket:
            socket.recv(20)
            start = time.monotonic()
            server.send_signal(signal.SIGINT)
            server.send_signal(signal.SIGINT)
            assert server.wait() == 130
            assert time.monotonic() - start < 5
