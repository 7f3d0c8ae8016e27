"""Swapping torch.nn.LSTM or GRU for ours must never make a program slower: 24 shapes, three types, both passes.

Protocol: one process for each number of threads; torch.nn and ours by turns, with the same weights; the figure is the
median of the ratios of pairs, time(torch.nn) / time(ours), so that a slow moment of the machine meets both. Training is
forward, sum and backward, the gradient of the input included; inference is forward under ``torch.inference_mode``. A
figure below the floor is measured once more, five times as long, before it counts.

    OMP_NUM_THREADS=1 python bench/swapping.py
    OMP_NUM_THREADS=2 python bench/swapping.py
    OMP_NUM_THREADS=1 python bench/swapping.py --packed equal
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import product

import common
import machine
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from unrolled.kernels import library
from unrolled.layers import torch_compat

FLOOR = 0.95
SHAPES = (  # B, T, I, H
    (1, 1, 32, 16),
    (1, 1, 64, 128),
    (1, 1, 128, 512),
    (1, 1, 300, 1000),
    (4, 1, 64, 128),
    (7, 1, 37, 37),
    (16, 1, 128, 512),
    (64, 1, 128, 256),
    (512, 1, 64, 128),
    (1, 2, 64, 128),
    (1, 5, 64, 64),
    (2, 5, 16, 16),
    (32, 5, 64, 128),
    (128, 10, 1, 16),
    (512, 10, 1, 16),
    (1, 20, 128, 128),
    (8, 20, 32, 32),
    (128, 50, 1, 16),
    (512, 50, 16, 16),
    (16, 50, 64, 64),
    (1, 100, 64, 256),
    (32, 100, 64, 128),
    (64, 30, 128, 512),
    (4, 30, 300, 1000),
)
CELLS, TYPES, MODES = ("LSTM", "GRU"), ("float32", "float64", "bfloat16"), ("training", "inference")
Pair = tuple[Callable[[], object], Callable[[], object]]


def main() -> None:
    """Print every ratio below the floor, and the least, median and greatest of each cell, type and mode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.4, help="of torch.nn and ours together, for each figure")
    parser.add_argument("--cells", nargs="+", default=CELLS)
    parser.add_argument("--types", nargs="+", default=TYPES)
    parser.add_argument("--modes", nargs="+", default=MODES)
    parser.add_argument("--packed", choices=("equal", "varied"), help="a PackedSequence of rows that long, made once")
    parser.add_argument("--quick", action="store_true", help="not recorded")
    options = parser.parse_args()
    print(f"{machine.line()}; kernels {library.active()}\n")
    print("| cell | type | mode | least | median | greatest | below the floor |\n|---|---|---|---:|---:|---:|---|")
    for cell, type_, mode in product(options.cells, options.types, options.modes):
        ratios = {}
        for shape in SHAPES:
            pair = programs(cell, getattr(torch, type_), mode, shape, options.packed)
            found = ratio(pair, options.seconds)
            ratios[shape] = found if found >= FLOOR else ratio(pair, 5 * options.seconds)
        values = sorted(ratios.values())
        below = ", ".join(f"{shape} {value:.2f}" for shape, value in ratios.items() if value < FLOOR) or "–"
        figures = " | ".join(f"{value:.2f}" for value in (values[0], statistics.median(values), values[-1]))
        print(f"| {cell} | {type_} | {mode} | {figures} | {below} |", flush=True)
        if not options.quick:
            row = {"cell": cell, "type": type_, "mode": mode, "threads": torch.get_num_threads()}
            row |= {"packed": options.packed} if options.packed else {}
            shown = {" ".join(map(str, shape)): round(value, 3) for shape, value in ratios.items()}
            common.record("swapping", {**row, "ratios": shown, "machine": machine.line(), "date": machine.today()})


def programs(
    cell: str, dtype: torch.dtype, mode: str, shape: tuple[int, int, int, int], packed: str | None = None
) -> Pair:
    """The same call on torch.nn's layer and on ours; packed rows are half to full as long if they are ``varied``."""
    rows, steps, inputs, units = shape
    torch.manual_seed(0)
    theirs: nn.Module = getattr(nn, cell)(inputs, units, batch_first=True, dtype=dtype)
    ours: nn.Module = getattr(torch_compat, cell)(inputs, units, batch_first=True, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(rows, steps, inputs, dtype=dtype)
    lengths = torch.linspace(steps, steps if packed == "equal" else max(1, steps // 2), rows).long()
    given = x if packed is None else pack_padded_sequence(x, lengths, batch_first=True)
    leaf = x if packed is None else given.data
    leaf.requires_grad_(mode == "training")

    def run(layer: nn.Module) -> None:
        if mode == "inference":
            with torch.inference_mode():
                layer(given)
        else:
            layer.zero_grad(set_to_none=True)
            leaf.grad = None
            y = layer(given)[0]
            (y if packed is None else y.data).sum().backward()

    return lambda: run(theirs), lambda: run(ours)


def ratio(pair: Pair, seconds: float) -> float:
    """The median of time(first) / time(second) over pairs of equally long turns."""
    first, second = pair
    for _ in range(3):
        first(), second()
    started = time.perf_counter()
    first(), second()
    calls = max(1, int(0.002 / (time.perf_counter() - started)))  # a turn is at least two milliseconds
    ratios = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(ratios) < 7:
        ratios.append(_timed(first, calls) / _timed(second, calls))
    return statistics.median(ratios)


def _timed(program: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        program()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
