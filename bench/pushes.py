"""One step at a time: a live session beside torch.nn.LSTM at T = 1, and a whole network from symbol to raw outputs.

Protocol: one row, I = 64, in one process; torch.nn and ours by turns, the median of the rounds. A push gives a new
output each time and keeps the state; torch.nn is called with x (1, 1, I) and its own last state, under
`torch.inference_mode`. The limit is the time in which this core reads as many bytes as the layer has weights, measured
as the dot product of two vectors that together are as long (whatever cache they lie in).

The network is an LSTM of 128 units with 65 symbols or 7 numbers a step as its input; text and formatting are apart.

Goals: the rows of issue 3.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import common
import machine
import torch
from torch import nn

from unrolled.batch import Continuous, Discrete, Spec
from unrolled.kernels import library
from unrolled.layers import torch_compat
from unrolled.layers.config import ModelConfig
from unrolled.models.network import Network

INPUTS = 64
FLOORS = {64: (25, 40), 128: (25, 30), 256: (20, 28), 512: (4, 10)}
NETWORKS: dict[str, Spec] = {"a symbol of 65": Discrete(65), "a row of 7 numbers": Continuous(7)}
Program = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds, without waiting; not recorded")
    options = parser.parse_args()
    peak = None if options.quick else machine.wait_until_healthy()
    rounds = 5 if options.quick else 25
    about = {"kernels": library.active(), "threads": torch.get_num_threads(), "gflops": peak}
    print(f"{machine.line()}; kernels {library.active()}; {peak} GFLOP/s\n")
    print("| H | torch.nn µs | ours µs | × | floor | goal | limit µs | of it |")
    print("|---" * 8 + "|", flush=True)
    rows = []
    for hidden, (floor, goal) in FLOORS.items():
        theirs, ours, limit = compare(hidden, rounds)
        figures = (
            f"{theirs:.1f} | {ours:.2f} | {theirs / ours:.1f} | {floor} | {goal} | {limit:.2f} | {ours / limit:.2f}"
        )
        print(f"| {hidden} | {figures} |", flush=True)
        rows.append({"hidden": hidden, "torch_us": theirs, "us": ours, "limit_us": limit})
    print("\n| a push of | µs | floor | goal |")
    print("|---" * 4 + "|", flush=True)
    for name, spec in NETWORKS.items():
        (us,) = by_turns([live(spec)], rounds)
        print(f"| {name} | {us:.2f} | 25 | 12 |", flush=True)
        rows.append({"network": name, "us": us})
    if not options.quick:
        for row in rows:
            common.record("pushes", {**row, **about, "machine": machine.line()})


def compare(hidden: int, rounds: int) -> tuple[float, float, float]:
    """Microseconds of torch.nn, of ours, and of reading the weights."""
    torch.manual_seed(0)
    theirs, ours = nn.LSTM(INPUTS, hidden), torch_compat.LSTM(INPUTS, hidden)
    ours.load_state_dict(theirs.state_dict())
    x, session = torch.randn(INPUTS), ours.session()
    step, state = x.view(1, 1, INPUTS), [(torch.zeros(1, 1, hidden), torch.zeros(1, 1, hidden))]

    def torch_step() -> None:
        _, state[0] = theirs(step, state[0])

    half = 4 * hidden * (INPUTS + hidden) // 2
    a, b = torch.randn(half), torch.randn(half)
    first, second, limit = by_turns([torch_step, lambda: session.push(x), lambda: torch.dot(a, b)], rounds)
    return first, second, limit


def live(spec: Spec) -> Program:
    network = Network({"x": spec}, ModelConfig(name="lstm", hidden=128), outputs=65, pooled=False).eval()
    session = network.session()
    inputs = {"x": torch.tensor([3]) if isinstance(spec, Discrete) else torch.randn(1, spec.width)}
    return lambda: session.push(inputs)


def by_turns(programs: list[Program], rounds: int) -> list[float]:
    """The median microseconds of each, over rounds of some milliseconds each."""
    times: list[list[float]] = [[] for _ in programs]
    with torch.inference_mode():
        for program in programs * 3:
            program()
        for _ in range(rounds):
            for program, own in zip(programs, times, strict=True):
                calls, started = 0, time.perf_counter()
                while time.perf_counter() - started < 0.02:
                    for _ in range(20):
                        program()
                    calls += 20
                own.append((time.perf_counter() - started) / calls * 1e6)
    return [statistics.median(own) for own in times]


if __name__ == "__main__":
    main()
