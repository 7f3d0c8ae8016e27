"""What every script of this folder does alike: take the problem, time its steps, hand back its numbers.

It runs in the environment of every peer, so it needs NumPy alone. Letters: B rows, T steps, I inputs, H units; weights
are in torch.nn's layout, gates i f g o (LSTM) or r z n (GRU).
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Problem", "answer", "problem"]

Array = NDArray[np.float32]
GATES = {"LSTM": "ifgo", "GRU": "rzn"}
FEWEST = 3  # steps that are timed, however long one takes


@dataclass(frozen=True, slots=True)
class Problem:
    """One layer, its input x (B, T, I), and the gradient of its output, toward (B, T, H): the same in every process."""

    cell: str
    training: bool
    threads: int
    seconds: float
    out: Path
    x: Array
    toward: Array
    w_ih: Array  # (gates·H, I)
    w_hh: Array  # (gates·H, H)
    b_ih: Array  # (gates·H,)
    b_hh: Array

    @property
    def hidden_size(self) -> int:
        return self.w_hh.shape[1]

    def gates(self, weights: Array, order: str) -> Array:
        """The blocks of these gates, one below the other: ``gates(w_ih, "iofg")``."""
        blocks = dict(zip(GATES[self.cell], np.split(weights, len(GATES[self.cell])), strict=True))
        return np.concatenate([blocks[name] for name in order])


def problem() -> Problem:
    """The problem of the command line; this process keeps to as many processors as it may have threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cell", choices=list(GATES), required=True)
    parser.add_argument("--mode", choices=["inference", "training"], required=True)
    parser.add_argument("--shape", type=int, nargs=4, metavar=("B", "T", "I", "H"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of timed steps, for each way of running")
    parser.add_argument("--out", type=Path, required=True, help="folder for the numbers")
    found = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # some have no setting for their threads, but all count their processors
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: found.threads])
    B, T, inputs, H = found.shape
    random, rows, bound = np.random.default_rng(0), len(GATES[found.cell]) * H, H**-0.5
    x, toward = (random.standard_normal((B, T, width), np.float32) for width in (inputs, H))
    shapes = ((rows, inputs), (rows, H), (rows,), (rows,))
    weights = [random.uniform(-bound, bound, shape).astype(np.float32) for shape in shapes]
    if found.cell == "GRU":
        weights[3][-H:] = 0  # Flax's has no bias there
    training = found.mode == "training"
    return Problem(found.cell, training, found.threads, found.seconds, found.out, x, toward, *weights)


def answer(
    given: Problem, version: str, ways: Mapping[str, Callable[[], object]], numbers: Mapping[str, Array]
) -> None:
    """Time each way of running a step, print the medians as JSON, and leave the numbers in the folder.

    Args:
        version: of whatever ran.
        ways: by name; each runs one whole step, and has ended when it returns.
        numbers: ``y``, and ``d_x`` if trained, batch first, as the quickest user would get them.
    """
    for name, array in numbers.items():
        np.ascontiguousarray(array, np.float32).tofile(given.out / name)
    seconds = {name: _median(step, given.seconds) for name, step in ways.items()}
    print(json.dumps({"version": version, "seconds": seconds}))


def _median(step: Callable[[], object], seconds: float) -> float:
    step()  # compiles, and makes its buffers
    step()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < FEWEST:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
