"""What several processes that train one model gain, and what their sum of gradients costs.

Protocol: next-symbol training of 32 rows of 128 steps (65 symbols), one thread a process. One process and R ranks take
turns, so that a load on the machine is a load on both; each turn is 12 steps, of which the first two do not count. The
time of a step is the median over all turns; that of the sum is what the leader spends in it, and in waiting for the
slowest rank. The seconds of processor are those of the busiest rank. Only an idle machine with enough cores shows the
gain as wall time; on a busy one the seconds of processor tell what it would be.

Goals: LSTM 512 × 2 on two ranks at least 1.7 times as fast, the sum at most 10 % of a step. Balance: rows of lognormal
lengths on 8 ranks, the share of the slowest rank's padded steps that is real work, at least 0.93.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

import machine
import numpy as np
import torch

from unrolled.batch import Discrete
from unrolled.data.batches.loader import Loader
from unrolled.data.batches.shares import Share
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.plans.windows import Rows
from unrolled.layers.config import ModelConfig
from unrolled.models.network import Network
from unrolled.training.batch_gradient import BatchGradient
from unrolled.training.joining import join
from unrolled.training.together import Together

MODELS = {
    "lstm 128 x 1": ("lstm", 128, 1),
    "lstm 512 x 2": ("lstm", 512, 2),
    "transformer 256 x 4": ("transformer", 256, 4),
}
ROWS, STEPS, SYMBOLS = 32, 128, 65
TAKEN, WARM = 12, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one turn of each")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--one", choices=MODELS, help=argparse.SUPPRESS)  # its own process
    options = parser.parse_args()
    if options.one:
        print(json.dumps(steps_of(options.one)))
        return
    print(f"{machine.line()}\n\nbalance on 8 ranks: {balance(8):.3f}\n")
    print("| model | 1 process ms | ranks ms | gain | processor s, 1 process | busiest rank | gain | sum ms (share) |")
    print("|---" * 8 + "|", flush=True)
    for model in options.only:
        alone, together = [], []
        for _ in range(1 if options.quick else options.turns):
            alone += turn(model, 1)
            together += turn(model, options.ranks)
        print(line(model, alone, together), flush=True)


def line(model: str, alone: list[dict[str, float]], together: list[dict[str, float]]) -> str:
    """A row of the table."""
    one, many = (statistics.median(found["step"] for found in turns) for turns in (alone, together))
    busy, busiest = (statistics.median(found["processor"] for found in turns) for turns in (alone, together))
    summed = statistics.median(found["sum"] for found in together if found["leads"])
    cells = [model, f"{1000 * one:.0f}", f"{1000 * many:.0f}", f"{one / many:.2f}", f"{busy:.3f}", f"{busiest:.3f}"]
    return f"| {' | '.join([*cells, f'{busy / busiest:.2f}', f'{1000 * summed:.1f} ({summed / many:.0%})'])} |"


def turn(model: str, ranks: int) -> list[dict[str, float]]:
    """Twelve steps on so many ranks."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    variables = {"WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    processes = []
    for rank in range(ranks):
        environment = os.environ | {name: str(value) for name, value in {**variables, "RANK": rank}.items()}
        command = [sys.executable, __file__, "--one", model]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    return [json.loads(process.communicate()[0]) for process in processes]


def steps_of(model: str) -> dict[str, float]:
    """The seconds of a step of this rank: on the wall, of the processor, and in the sum of gradients."""
    together = join()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    name, hidden, layers = MODELS[model]
    config = ModelConfig(name=name, hidden=hidden, layers=layers)
    network = Network({"ids": Discrete(SYMBOLS)}, config, SYMBOLS, pooled=False)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    rows = np.random.default_rng(0).integers(0, SYMBOLS, ROWS * STEPS).astype(np.uint8)
    ids = Encoded(rows, np.arange(ROWS + 1) * STEPS)
    examples = Examples({"ids": ids}, {"ids": Discrete(SYMBOLS)}, ids, Discrete(SYMBOLS), Aligned())
    spent = timed_sums(together)
    gradient = BatchGradient(network, NextSymbol(), 1, together, 1, "cpu")  # type: ignore[arg-type]
    loaders: list[Loader] = gradient.loaders(examples, Rows(examples.steps(), ROWS))
    walls, processors = [], []
    for _ in range(TAKEN):
        wall, processor = time.perf_counter(), time.process_time()
        gradient.find(loaders, 0, lambda: None, None, time.monotonic)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    together.wait()
    found = {"step": walls, "processor": processors, "sum": spent or [0.0] * TAKEN}
    return {key: statistics.median(values[WARM:]) for key, values in found.items()} | {"leads": together.leads}


class NextSymbol:
    """The loss of every step against the symbol itself: what is learned does not matter here."""

    def loss(self, outputs: torch.Tensor, batch: object) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed, and the number of steps."""
        right = batch.inputs["ids"].reshape(-1).long()  # type: ignore[attr-defined]
        return torch.nn.functional.cross_entropy(outputs.reshape(-1, SYMBOLS), right, reduction="sum"), torch.tensor(
            len(right)
        )


def timed_sums(together: Together) -> list[float]:
    """The seconds of each sum from now on."""
    spent: list[float] = []
    add_up = together.add_up

    def timed(numbers: torch.Tensor) -> None:
        began = time.perf_counter()
        add_up(numbers)
        spent.append(time.perf_counter() - began)

    together.add_up = timed  # type: ignore[method-assign]
    return spent


def balance(ranks: int) -> float:
    """The mean over batches of 32 rows."""
    lengths = np.random.default_rng(0).lognormal(5, 1.2, 200_000).clip(1, 4000).astype(np.int64)
    plan = Rows(lengths, 32, seed=0)
    shares = [Share(plan, rank, ranks) for rank in range(ranks)]
    found = []
    for index in range(0, len(plan), 10):
        steps = [share[index].lengths for share in shares]
        slowest = max(len(own) * own.max(initial=0) for own in steps)
        found.append(np.mean([own.sum() for own in steps]) / slowest)
    return float(np.mean(found))


if __name__ == "__main__":
    main()
