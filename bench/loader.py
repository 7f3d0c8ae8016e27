"""How fast the loader makes batches, beside how fast the fastest model here consumes them in training.

Protocol: four kinds of data, made here, encoded and batched as `unrolled fit` does by default (32 rows a batch). The
loader runs alone, in one thread, over its shuffled order; then each model of the default size that can stream trains on
the same batches, made beforehand: forward, loss, backward, clipping, AdamW. Speeds are real steps (characters, tokens,
hours) a second, padding not counted.

Goal: the loader at 5 times the consumption of the fastest model or more, on each kind.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import machine
import numpy as np
import pyarrow as pa
import torch
from memory import BLOCK, text

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.config import DataConfig
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.plans.windows import Plan
from unrolled.data.tables.read import read
from unrolled.layers.config import ModelConfig
from unrolled.layers.factory import model_names
from unrolled.models.network import Network
from unrolled.tasks.task import TASKS, Question, Task
from unrolled.training.bptt import TruncatedBPTT
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import training_plan

GOAL = 5
HORIZON = 96
TRAINING = TrainingConfig()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data, encoded, and how long that took."""

    name: str
    task: Task
    examples: Examples
    encoding_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fraction of a second for each figure; not recorded")
    quick = parser.parse_args().quick
    seconds = 0.3 if quick else 4.0
    print(f"{machine.line()}\n")
    print(
        "| data | loader, steps/s | loader, rows/s | fastest model | it consumes, steps/s | ratio | encoding, steps/s |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for make in (characters, mapped_bytes, ragged_rows, windows):
            kind = make(Path(folder))
            steps, rows = loader_speed(kind, seconds)
            speeds = {name: consumption(kind, name, seconds) for name in streaming_models()}
            fastest = max(speeds, key=lambda name: speeds[name])
            ratios.append(steps / speeds[fastest])
            encoding = int(kind.examples.steps().sum()) / kind.encoding_seconds
            figures = (
                f"{steps:,.0f} | {rows:,.0f} | {fastest} | {speeds[fastest]:,.0f} | {ratios[-1]:.1f} | {encoding:,.0f}"
            )
            print(f"| {kind.name} | {figures} |", flush=True)
            if not quick:
                facts = {"data": kind.name, "loader": steps, "rows": rows, "consumption": speeds, "encoding": encoding}
                common.record("loader", {**facts, "machine": machine.line(), "date": machine.today()})
    sys.exit(f"the goal is {GOAL} times" if min(ratios) < GOAL else 0)


# --- the data ---------------------------------------------------------------------------------------------------------


def characters(folder: Path) -> Kind:
    document = text(np.random.default_rng(0)).decode()[: 4 << 20]
    return encode("text, characters, lanes of 128", {"text": [document]}, "next_step", folder, tokens="characters")


def mapped_bytes(folder: Path) -> Kind:
    block = text(np.random.default_rng(0))
    with (folder / "big.txt").open("wb") as file:
        for _ in range(6):
            file.write(block)
    kind = encode("text, bytes, memory-mapped ids", folder / "big.txt", "next_step", folder, tokens="bytes")
    values = next(iter(kind.examples.inputs.values())).values
    assert isinstance(values, np.memmap) and values.size >= 6 * BLOCK, "these ids should not lie in memory"
    return kind


def ragged_rows(folder: Path) -> Kind:
    random = np.random.default_rng(0)
    words = np.array(text(random).decode().split()[:50_000])
    texts = [" ".join(random.choice(words, n)) for n in random.integers(4, 60, 10_000)]
    labels = random.choice(["no", "yes"], len(texts)).tolist()
    return encode(
        "rows of 4 to 59 words", {"text": texts, "label": labels}, "classify", folder, tokens="words", target="label"
    )


def windows(folder: Path) -> Kind:
    values = np.random.default_rng(0).standard_normal((20_000, 7)).cumsum(0)
    steps = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 7)
    table = pa.table({"x": pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), steps)})
    return encode("series of 7, windows of 288 and 96", table, "forecast", folder)


def encode(name: str, source: Any, task: str, folder: Path, *, tokens: Any = None, target: str = "") -> Kind:
    """As `unrolled fit` does, without holding anything out."""
    asked = {"horizon": HORIZON} if task == "forecast" else {}
    named = (target,) if target else ()
    sequences = read(source, DataConfig(target=named), steps=False)
    member = TASKS.get(task)
    started = time.perf_counter()
    coder = Preprocessor.fit(
        sequences, member.roles(Question(sequences, named, (), asked)), Preparation(tokens=tokens or "characters")
    )
    examples = coder.encode(sequences, cache=folder / "cache")
    seconds = time.perf_counter() - started
    return Kind(name, member(member.Options(**asked), coder), examples, seconds)


# --- the speeds -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """Batches made beforehand, in the place of a loader."""

    plan: Plan
    batches: list[Batch]

    def __getitem__(self, index: int) -> Batch:
        return self.batches[index]


def loader_speed(kind: Kind, seconds: float) -> tuple[float, float]:
    """(steps/s, rows/s), plans included."""
    plans = (training_plan(kind.examples, kind.task.batching, TRAINING, epoch) for epoch in itertools.count())
    batches = (batch for plan in plans for batch in Loader(kind.examples, plan))
    return rate(lambda: next(batches), seconds)


def consumption(kind: Kind, model: str, seconds: float) -> float:
    """Steps/s of training on batches that are there already."""
    torch.manual_seed(0)
    network = Network(kind.examples.specs, ModelConfig(name=model), kind.task.outputs, kind.task.pooled).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=TRAINING.lr, fused=True)
    loader = Loader(kind.examples, training_plan(kind.examples, kind.task.batching, TRAINING, 0))
    ready: Any = Ready(loader.plan, [loader[index] for index in range(min(len(loader), 16))])
    carry, turns = TruncatedBPTT(network), itertools.cycle(range(len(ready.batches)))

    def step() -> Batch:
        outputs, batch = carry.run(ready, next(turns), "cpu")
        total, scored = kind.task.loss(outputs, batch)
        (total / scored.clamp(min=1)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return batch

    return rate(step, seconds)[0]


def rate(one: Callable[[], Batch], seconds: float) -> tuple[float, float]:
    """(steps/s, rows/s) of doing ``one`` for so long, after three turns that are not counted."""
    for _ in range(3):
        one()
    steps = rows = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds or not steps:
        lengths = one().lengths
        steps, rows = steps + int(lengths.sum()), rows + int((lengths > 0).sum())
    return steps / elapsed, rows / elapsed


def streaming_models() -> list[str]:
    """Those of one direction; the other ones cost twice as much."""
    return [name for name in model_names() if not name.startswith("bi")]


if __name__ == "__main__":
    main()
