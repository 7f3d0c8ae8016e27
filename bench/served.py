"""What `bench/serve.py` starts: models, servers and load, each in a process of its own and each with an end."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import common
from load import Plan

__all__ = ["Server", "load", "started", "trained"]

_HERE = Path(__file__).parent
_LONGEST = 240.0  # seconds of a server
_logs = itertools.count()
_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")


def trained(name: str) -> Path:
    """A model that was trained for a moment: ``load``, an LSTM of 128 units that forecasts a number from two; ``wide``
    and ``heavy``, the same with 512 and 2,048 units; ``text``, an LSTM of 128 units that goes on with letters.
    """
    folder = common.work("serve")
    if not (folder / name / "config.json").is_file():
        hidden, steps = {"wide": ("512", "2"), "heavy": ("2048", "2")}.get(name, ("128", "20"))
        flags = ["--hidden", hidden, "--model", "lstm", "--plan", "fixed", "--start", "none", "--steps", steps]
        asked = ["--task", "next_step"] if name == "text" else ["--target", "load", "--horizon", "1"]
        source = "text.txt" if name == "text" else "load.csv"
        (folder / source).write_text(_text() if name == "text" else _table(), "utf-8")
        command, environment = common.unrolled()
        done = [*command, "fit", source, *asked, *flags, "--out", name, "--overwrite", "--quiet"]
        subprocess.run(done, cwd=folder, env=environment, check=True, timeout=300, stdout=subprocess.DEVNULL)
    return folder / name


class Server:
    """A server, from its first answer until the block ends.

    Args:
        command: what starts it; it says its address on stdout or stderr.
    """

    def __init__(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": str(common.ROOT / "src"), "OMP_NUM_THREADS": "1"}
        # Each has its own: the first server may still write when the second one begins.
        self._log = (common.work("serve") / f"server-{next(_logs)}.log").open("w+", encoding="utf-8")
        start = time.perf_counter()
        # `timeout` ends it even where this script was killed.
        whole = ["timeout", "--kill-after=5", f"{_LONGEST:g}", *command]
        self._process = subprocess.Popen(whole, env=environment, stdout=self._log, stderr=self._log)
        self.port = self._listening()
        self.start_seconds = time.perf_counter() - start
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text("ascii")
        self.pid = int(children.split()[0])

    def _listening(self) -> int:
        for _ in range(600):
            said = Path(self._log.name).read_text("utf-8")
            if found := _PORT.search(said):
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"the server did not start: {said}")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """End it by a signal: its exit code, and the seconds that it took."""
        start = time.perf_counter()
        if self._process.poll() is None:
            os.kill(self.pid, number)
        code = self._process.wait(60)
        return code, time.perf_counter() - start

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop(signal.SIGKILL if kind else signal.SIGTERM)
        self._log.close()


def started(run: Path, *flags: str, one_by_one: bool = False) -> Server:
    """A server of a run."""
    if one_by_one:
        return Server([sys.executable, str(_HERE / "one_by_one.py"), str(run)])
    return Server([*common.unrolled()[0], "serve", str(run), "--port", "0", *flags])


def load(server: Server, plan: Plan) -> dict[str, Any]:
    """Put load on a server, from another process."""
    plan.port, plan.pid = server.port, server.pid
    limit = 90 + plan.warm + plan.seconds
    command = [sys.executable, str(_HERE / "load.py")]
    asked = json.dumps(asdict(plan))
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False, timeout=limit)
    if done.returncode:
        raise SystemExit(f"the load generator failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _table() -> str:
    dice = random.Random(0)
    lines = ["load,temperature"]
    for hour in range(2000):
        temperature = 15 - 5 * math.cos(hour / 24 * 2 * math.pi) + dice.gauss(0, 1)
        lines.append(f"{10 + 3 * math.sin(hour / 24 * 2 * math.pi) + 0.2 * temperature:.2f},{temperature:.2f}")
    return "\n".join([*lines, ""])


def _text() -> str:
    dice = random.Random(0)
    words = ["the", "a", "dog", "cat", "bird", "tree", "ran", "sat", "flew", "home", "far", "away", "and", "then"]
    return "".join(" ".join(dice.choice(words) for _ in range(20)) + ".\n" for _ in range(300))
