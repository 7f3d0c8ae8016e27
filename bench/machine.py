"""The machine that a figure was measured on, and whether it is itself at the moment."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
import os
import sys
import time
from pathlib import Path

__all__ = ["line", "today", "wait_until_healthy"]

_MEMORY = Path(__file__).parent / "work"
_HEALTHY = 0.8  # of the best matrix product seen on this machine
_PATIENCE = 20  # minutes to wait for it


def line() -> str:
    """The processor, its cores, torch and its threads, in a line."""
    model = "unknown processor"
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS") or cores
    return f"{model}, {cores} cores, torch {importlib.metadata.version('torch')}, {threads} threads"


def today() -> str:
    """The date, as it stands in the records."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def wait_until_healthy() -> float:
    """Wait until a 2048³ matrix product runs at a fair share of its best on this machine; GFLOP/s.

    A neighbour on shared cores halves what a budget of minutes reaches, and says nothing about the model. The best that
    was ever seen with as many threads is kept in ``bench/work``. After twenty minutes the script goes on, and says so.
    """
    import torch

    memory = _MEMORY / f"best_gflops_{torch.get_num_threads()}"
    memory.parent.mkdir(parents=True, exist_ok=True)
    known = float(memory.read_text("utf-8")) if memory.exists() else 0.0
    for _ in range(_PATIENCE * 3):
        speed = _matrix_product()
        if speed > known:
            known = speed
            memory.write_text(f"{known:.1f}", "utf-8")
        if speed >= _HEALTHY * known:
            return round(speed, 1)
        print(f"waiting: {speed:.0f} of {known:.0f} GFLOP/s", file=sys.stderr, flush=True)
        time.sleep(20)
    print("the machine stays slow; going on", file=sys.stderr, flush=True)
    return round(speed, 1)


def _matrix_product() -> float:
    import torch

    a = torch.rand(2048, 2048)
    seconds = math.inf
    for _ in range(6):
        started = time.perf_counter()
        a @ a
        seconds = min(seconds, time.perf_counter() - started)
    return 2 * 2048**3 / seconds / 1e9
