"""Our recurrent layers beside torch.nn's, with the same weights, on the shapes A … F of issue 3.

Protocol: one process; torch.nn and ours by turns, so that both see the same machine; the median of the rounds. Training
is forward and backward, the gradient of x included; inference is forward under `torch.inference_mode`. "×" is
time(torch.nn) / time(ours). "% of peak" is of a 2048³ matrix product measured at the start, backward counted as twice
forward. Variable lengths are drawn from T/4 … T and go to torch.nn packed, as its users pack them: input packed, output
padded again.

The default malloc gives large blocks back to the system, and torch.nn allocates afresh at each call; start the script
with MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000 to see both without that.

Goals: the table of issue 3; the floors are printed beside.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import common
import machine
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled.kernels import library
from unrolled.layers import torch_compat

SHAPES = {
    "A": (1, 100, 64, 128),
    "B": (32, 100, 64, 128),
    "C": (64, 128, 128, 256),
    "D": (32, 512, 128, 512),
    "E": (16, 1000, 64, 64),
    "F": (1, 1000, 64, 256),
}
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FLOORS = {
    ("LSTM", "training"): (2.0, 1.2, 1.5, 1.15, 2.5, 1.7),
    ("LSTM", "inference"): (1.9, 1.4, 1.2, 1.0, 2.2, 1.6),
    ("GRU", "training"): (11, 3, 1.8, 1.9, 9, 11),
    ("GRU", "inference"): (6, 2.3, 1.4, 1.8, 4, 4.5),
    ("RNN", "training"): (9, 3, 1.6, 1.8, 7, 10),
    ("RNN", "inference"): (5, 2.7, 1.5, 2, 4.8, 5),
}
PACKED_SHAPES, PACKED_FLOOR = "BCE", 4
Layer = Callable[[Tensor], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds, without waiting; not recorded")
    parser.add_argument("--shapes", default="ABCDEF")
    parser.add_argument("--cells", nargs="+", default=list(GATES), choices=list(GATES))
    parser.add_argument("--modes", nargs="+", default=["training", "inference", "packed"])
    parser.add_argument("--seconds", type=float, default=2, help="of torch.nn and ours together, for each figure")
    options = parser.parse_args()
    peak = None if options.quick else machine.wait_until_healthy()
    peak = peak or product()
    malloc = "tuned" if os.environ.get("MALLOC_MMAP_THRESHOLD_") else "default"
    print(f"{machine.line()}; kernels {library.active()}; {peak:.0f} GFLOP/s; {malloc} malloc\n")
    print("| cell | mode | shape | torch.nn ms | ours ms | × | floor | % of peak: torch.nn | ours |")
    print("|---" * 9 + "|", flush=True)
    for cell in options.cells:
        for mode in options.modes:
            for name in options.shapes:
                if mode == "packed" and (cell == "RNN" or name not in PACKED_SHAPES):
                    continue
                theirs, ours, work = compare(cell, mode, name, options.seconds / (5 if options.quick else 1))
                floor = PACKED_FLOOR if mode == "packed" else FLOORS[cell, mode]["ABCDEF".index(name)]
                shares = [100 * work / seconds / (peak * 1e9) for seconds in (theirs, ours)]
                times = f"{theirs * 1e3:.2f} | {ours * 1e3:.2f} | {theirs / ours:.2f} | {floor}"
                print(f"| {cell} | {mode} | {name} | {times} | {shares[0]:.0f} | {shares[1]:.0f} |", flush=True)
                if not options.quick:
                    row = {"cell": cell, "mode": mode, "shape": name, "torch_seconds": theirs, "seconds": ours}
                    about = {"malloc": malloc, "kernels": library.active(), "gflops": peak}
                    threads = torch.get_num_threads()
                    common.record("kernels", {**row, **about, "threads": threads, "machine": machine.line()})


def compare(cell: str, mode: str, name: str, seconds: float) -> tuple[float, float, float]:
    """The median seconds of torch.nn and of ours, and the floating-point operations of real steps."""
    B, T, inputs, H = SHAPES[name]
    torch.manual_seed(0)
    theirs: nn.Module = getattr(nn, cell)(inputs, H, batch_first=True)
    ours: nn.Module = getattr(torch_compat, cell)(inputs, H, batch_first=True)
    ours.load_state_dict(theirs.state_dict())
    x, toward = torch.randn(B, T, inputs, requires_grad=mode != "inference"), torch.randn(B, T, H)
    lengths = torch.randint(T // 4, T + 1, (B,)) if mode == "packed" else torch.full((B,), T)

    def packed(given: Tensor) -> Tensor:
        y, _ = theirs(pack_padded_sequence(given, lengths, batch_first=True, enforce_sorted=False))
        return pad_packed_sequence(y, batch_first=True, total_length=T)[0]

    if mode == "packed":
        runs: list[Layer] = [packed, lambda given: ours(given, lengths=lengths)[0]]
    else:
        runs = [lambda given: theirs(given)[0], lambda given: ours(given)[0]]
    work = 2 * int(lengths.sum()) * GATES[cell] * H * (inputs + H) * (1 if mode == "inference" else 3)
    if mode == "inference":
        with torch.inference_mode():
            return *by_turns([lambda run=run: run(x) for run in runs], seconds), work

    def train(run: Layer, module: nn.Module) -> None:
        x.grad = None
        module.zero_grad(set_to_none=True)
        run(x).backward(toward)

    return *by_turns([lambda: train(runs[0], theirs), lambda: train(runs[1], ours)], seconds), work


def by_turns(programs: list[Callable[[], object]], seconds: float) -> tuple[float, float]:
    """The median time of each."""
    for program in programs * 2:
        program()
    times: list[list[float]] = [[] for _ in programs]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for program, own in zip(programs, times, strict=True):
            started = time.perf_counter()
            program()
            own.append(time.perf_counter() - started)
    first, second = (statistics.median(own) for own in times)
    return first, second


def product() -> float:
    """GFLOP/s of a 2048³ matrix product."""
    a = torch.rand(2048, 2048)
    times = []
    for _ in range(6):
        started = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - started)
    return 2 * 2048**3 / min(times) / 1e9


if __name__ == "__main__":
    main()
