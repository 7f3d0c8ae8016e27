"""Memory of one training step over ten thousand steps: torch.nn, our layers, and ours with recompute="sqrt".

Protocol: each in a process of its own, shape (B, T, I, H) = (16, 10 000, 64, 256), forward and backward, the gradient
of x included. The figure is the highest resident set (VmHWM of Linux) less what was resident before the step, when x
and the gradient of y were there, and less y and the gradient of x, which the step makes: so what a layer needs beyond
x, y and their gradients. × is of torch.nn's. The time of recomputing is a ratio too, recompute / ordinary: both by
turns in one process, the median of the rounds.

Goals: × at most 1, and 0.25 with recompute; at most 1.4 times the time.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import machine
import torch
from torch import nn

from unrolled.kernels import library
from unrolled.layers import torch_compat

SHAPE = (16, 10_000, 64, 256)
QUICK = (16, 1_000, 64, 256)
CONTENDERS = ("torch.nn", "ordinary", "recompute")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps, without waiting; not recorded")
    parser.add_argument("--cells", nargs="+", default=["LSTM", "GRU", "RNN"], choices=["LSTM", "GRU", "RNN"])
    parser.add_argument("--only", nargs=2, metavar=("WHAT", "CELL"), help=argparse.SUPPRESS)  # a process of its own
    options = parser.parse_args()
    shape = QUICK if options.quick else SHAPE
    if options.only:
        what, cell = options.only
        print(json.dumps(ratio(cell, shape) if what == "time" else peak(what, cell, shape)))
        return
    if not options.quick:
        machine.wait_until_healthy()
    print(f"{machine.line()}; kernels {library.active()}; {shape}\n")
    print("| cell | torch.nn MB | ours MB | × | with recompute MB | × | its time × |\n" + "|---" * 7 + "|", flush=True)
    for cell in options.cells:
        theirs, ours, less = (alone(what, cell, options.quick) for what in CONTENDERS)
        slower = alone("time", cell, options.quick)
        print(
            f"| {cell} | {theirs / 1e6:.0f} | {ours / 1e6:.0f} | {ours / theirs:.2f} | {less / 1e6:.0f} "
            f"| {less / theirs:.3f} | {slower:.2f} |",
            flush=True,
        )
        if not options.quick:
            row = {"cell": cell, "shape": shape, "torch_bytes": theirs, "bytes": ours, "recompute_bytes": less}
            about = {"time_ratio": slower, "kernels": library.active(), "threads": torch.get_num_threads()}
            common.record("kernels_memory", {**row, **about, "machine": machine.line()})


def alone(what: str, cell: str, quick: bool) -> float:
    """The figure that a fresh process finds."""
    command = [sys.executable, __file__, "--only", what, cell, *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def training(what: str, cell: str, shape: tuple[int, ...]) -> Callable[[], None]:
    """One step of one contender."""
    B, T, inputs, H = shape
    torch.manual_seed(0)
    options: dict[str, Any] = {"recompute": "sqrt"} if what == "recompute" else {}
    source = nn if what == "torch.nn" else torch_compat
    layer: nn.Module = getattr(source, cell)(inputs, H, batch_first=True, **options)
    x, toward = torch.randn(B, T, inputs, requires_grad=True), torch.randn(B, T, H)

    def step() -> None:
        x.grad = None
        layer.zero_grad(set_to_none=True)
        layer(x)[0].backward(toward)

    return step


def peak(what: str, cell: str, shape: tuple[int, ...]) -> int:
    """Bytes beyond x, y and their gradients, at the highest."""
    training(what, cell, (2, 50, *shape[2:]))()  # what is loaded at first use is not the step's
    step = training(what, cell, shape)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # forgets the highest so far
    before = status("VmRSS")
    step()
    B, T, inputs, H = shape
    return status("VmHWM") - before - 4 * B * T * (inputs + H)


def status(key: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def ratio(cell: str, shape: tuple[int, ...]) -> float:
    """time(recompute) / time(ordinary)."""
    steps = [training(what, cell, shape) for what in CONTENDERS[1:]]
    times: list[list[float]] = [[], []]
    for turn in range(6):
        for step, own in zip(steps, times, strict=True):
            started = time.perf_counter()
            step()
            if turn > 0:
                own.append(time.perf_counter() - started)
    return statistics.median(times[1]) / statistics.median(times[0])


if __name__ == "__main__":
    main()
