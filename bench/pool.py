"""What a pool of live sessions costs in its own process, without a network, beside single sessions in one run.

    python bench/pool.py

CPU seconds by getrusage; rounds alternate between the pool and single sessions, and the better of each is shown.
An LSTM of 128 units: a forecast of one of two numeric columns, and a model of characters.
"""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import machine
import numpy as np
import torch

import unrolled as ur

SESSIONS, MANY, ROUNDS = 1_000, 10_000, 7
TINY: dict[str, Any] = {
    "hidden": 128,
    "steps": 2,
    "batch": 4,
    "model": "lstm",
    "plan": "fixed",
    "start": "none",
    "device": "cpu",
}


def cpu(program: Callable[[], object]) -> float:
    """The CPU seconds of a call, in user and system."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    program()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def repeated(program: Callable[[], object], times: int) -> Callable[[], None]:
    """The same call so many times; what it returns is not kept, or the collector would look at it again and again."""

    def run() -> None:
        for _ in range(times):
            program()

    return run


def pushed(model: Any, value: Any) -> tuple[float, float]:
    """Microseconds of a step in a pool of 1,000 sessions, and of a push of a single one."""
    pool, live = model.pool(), model.stream()
    items = [(pool.open(), value) for _ in range(SESSIONS)]
    pool.push(items)
    live.push(value)
    together, single = [], []
    for _ in range(ROUNDS):
        together.append(cpu(repeated(lambda: pool.push(items), 20)) / (20 * SESSIONS))
        single.append(cpu(repeated(lambda: live.push(value), 500)) / 500)
    return min(together) * 1e6, min(single) * 1e6


def stepped(model: Any) -> float:
    """Microseconds of a step of 1,000 rows of the network and its head, without encoding and answers."""
    rows, slots = model.network.pool(), np.arange(SESSIONS)
    rows.grow(SESSIONS)
    inputs = {name: torch.zeros(SESSIONS, spec.width) for name, spec in model.network.columns.specs.items()}
    times = [cpu(repeated(lambda: rows.run(slots, inputs, [slots]), 20)) for _ in range(ROUNDS)]
    return min(times) / (20 * SESSIONS) * 1e6


def rss() -> int:
    """The bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def row(requirement: str, what: str, figure: str, limit: str) -> None:
    """A line of the table."""
    print(f"| {requirement} | {what} | {figure} | {limit} |", flush=True)


def main() -> None:
    """Measure, and print a table."""
    torch.set_num_threads(1)
    numbers = {"load": [[float(n % 7) for n in range(60)]] * 2, "temperature": [[float(n % 5) for n in range(60)]] * 2}
    with tempfile.TemporaryDirectory() as folder:
        forecast = ur.fit(numbers, target="load", horizon=1, out=Path(folder) / "numbers", **TINY)
        text = ur.fit({"text": ["the cat sat on the mat. " * 5] * 4}, out=Path(folder) / "text", **TINY)
    print(f"{machine.line()}; load {os.getloadavg()[0]:.1f}\n\n| | what | figure | limit |\n|---|---|---|---|")
    for name, model, value, limit, ratio in (
        ("numbers", forecast, {"load": 1.5, "temperature": 2.0}, "≤ 2.5", 40),
        ("characters", text, "a", "", 10),
    ):
        together, single = pushed(model, value)
        row("S3", f"a step in a pool of {SESSIONS:,}, {name}", f"{together:.2f} µs", limit)
        row(
            "S3",
            f"a push of one session against it, {name}",
            f"{single:.0f} µs, {single / together:.0f} ×",
            f"≥ {ratio} ×",
        )

    row("", "the network's part of it, numbers", f"{stepped(forecast):.2f} µs", "")
    pool = forecast.pool()
    before = rss()
    with mock.patch.object(hashlib, "sha256", side_effect=AssertionError("hashed")):
        opened = cpu(lambda: [pool.open() for _ in range(MANY)]) / MANY * 1e6
    handles = range(1, MANY + 1)
    row("S4", "opening a session", f"{opened:.1f} µs", "≤ 50 µs")
    pool.push([(handle, {"load": 1.5, "temperature": 2.0}) for handle in handles])
    size = (rss() - before) / MANY
    row(
        "S5",
        f"memory of a session over {MANY:,}, its state included",
        f"{size:.0f} bytes",
        f"≤ {2048 + pool.state_bytes}",
    )

    saved = b""
    with tempfile.NamedTemporaryFile() as file:

        def save() -> None:
            nonlocal saved
            saved = pool.save(handles)
            file.write(saved)
            file.flush()
            os.fsync(file.fileno())

        row("S12", f"{MANY:,} sessions saved, fsync included", f"{cpu(save):.2f} s", "≤ 2 s")
    row("S12", f"{MANY:,} sessions restored", f"{cpu(lambda: forecast.pool().load(saved)):.2f} s", "≤ 1 s")


if __name__ == "__main__":
    main()
