"""What a row costs against its length: training time, memory, and one live step after so many.

Protocol: one row of T symbols of 65 through an embedding, one layer of 128 units and a head of 65, forward and backward
with the cross-entropy of every step; each length in a process of its own, after a short row that loads what is loaded
at first use. The time is the median of three (of one that takes more than 20 seconds, that one). The memory is the
highest resident set (Linux) less what was resident before. The live step is the median of 200 pushes after T steps,
whose state comes from one pass over them. A length that takes more than five minutes, or more memory than there is, has
no figure, nor has what is longer.

Goals: recurrent and linear models straight lines, attention not; a live step flat in t for every model that claims it.
`plot_cost.py` draws the figures.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import common
import machine
import torch
from long_memory import MODELS
from torch.nn.functional import cross_entropy

from unrolled.batch import Discrete
from unrolled.inspection import cost
from unrolled.layers.config import ModelConfig
from unrolled.models.network import Network

LENGTHS = (1_000, 4_096, 16_384, 65_536)
SYMBOLS, HIDDEN = 65, 128
MOST_SECONDS, SLOW = 300, 20
PUSHES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two shortest lengths, without waiting; not recorded")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS, help="these models alone")
    parser.add_argument(
        "--one", nargs=3, metavar=("WHAT", "MODEL", "T"), help=argparse.SUPPRESS
    )  # a process of its own
    options = parser.parse_args()
    if options.one:
        what, model, steps = options.one
        print(json.dumps({"training": training, "push": push}[what](model, int(steps))))
        return
    print(
        f"{machine.line()}\n\n| model | T | training ms | memory MB | live step µs |\n" + "|---" * 5 + "|", flush=True
    )
    for model in options.only:
        if not options.quick:
            machine.wait_until_healthy()
        gone = set[str]()
        for steps in LENGTHS[:2] if options.quick else LENGTHS:
            row: dict[str, object] = {"model": model, "steps": steps}
            for what in ("training", "push"):
                found = None if what in gone else alone(what, model, steps)
                if found is None:
                    gone.add(what)
                row |= found or {}
            print(f"| {model} | {steps} | {cells(row)} |", flush=True)
            if not options.quick:
                common.record("cost", {**row, "threads": torch.get_num_threads(), "machine": machine.line()})


def cells(row: dict[str, object]) -> str:
    shown = (("seconds", 1e3, ".1f"), ("bytes", 1e-6, ".1f"), ("push_seconds", 1e6, ".1f"))
    return " | ".join(format(row[name] * by, form) if name in row else "–" for name, by, form in shown)  # type: ignore[operator]


def alone(what: str, model: str, steps: int) -> dict[str, float] | None:
    """What a fresh process finds; ``None`` if it takes too long or too much."""
    command = [sys.executable, __file__, "--one", what, model, str(steps)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=MOST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        print(f"{model}, T = {steps}, {what}: more than {MOST_SECONDS} seconds", file=sys.stderr, flush=True)
        return None
    if done.returncode:
        print(f"{model}, T = {steps}, {what}: exit code {done.returncode}", file=sys.stderr, flush=True)
        return None
    return dict(json.loads(done.stdout))


def network(model: str) -> Network:
    torch.manual_seed(0)
    return Network({"x": Discrete(SYMBOLS)}, ModelConfig(name=model, hidden=HIDDEN), SYMBOLS, pooled=False)


def training(model: str, steps: int) -> dict[str, float]:
    """Seconds and bytes of a forward and a backward pass."""
    one = network(model)

    def pass_over(length: int) -> float:
        symbols = torch.randint(SYMBOLS, (1, length + 1))
        one.zero_grad(set_to_none=True)
        started = time.perf_counter()
        outputs, _ = one({"x": symbols[:, :-1]}, torch.tensor([length]))
        cross_entropy(outputs[0], symbols[0, 1:]).backward()
        return time.perf_counter() - started

    pass_over(64)
    before = cost.resident()
    times = [pass_over(steps)]
    peak = cost.highest_resident()
    while times[0] < SLOW and len(times) < 3:
        times.append(pass_over(steps))
    found = {"seconds": statistics.median(times)}
    return found if peak is None or before is None else {**found, "bytes": peak - before}


def push(model: str, steps: int) -> dict[str, float]:
    """Seconds of a live step after ``steps``."""
    one = network(model).eval()
    live = one.session()
    symbol = {"x": torch.tensor([3])}
    with torch.no_grad():
        _, state = one({"x": torch.randint(SYMBOLS, (1, steps))}, torch.tensor([steps]))
        live.state = state
        live.push(symbol)
        times = []
        for _ in range(PUSHES):
            started = time.perf_counter()
            live.push(symbol)
            times.append(time.perf_counter() - started)
    return {"push_seconds": statistics.median(times)}


if __name__ == "__main__":
    main()
