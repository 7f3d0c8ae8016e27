"""What C16 trains: each task and a model of each family, for a few steps, whole, in micro-batches, on ranks, and both.

python sharing.py FOLDER STEPS RANKS BATCH SHARDED
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from distributed.forked import ended, fork
from samples import SAMPLES, Sample, network_for, sequences, training

from unrolled.training.joining import join
from unrolled.training.together import ALONE, Together
from unrolled.training.trainer import Trainer

__all__ = ["CASES", "HOW", "ITEMS"]

ITEMS = Sample("next_step", sequences({"item": [list("abcdeabc"[n % 5 :]) * 2 for n in range(10)]}, {"item": "tokens"}))

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a label for a text, both directions": ("classify", "bilstm", {}),
    "several labels": ("classify several", "gru", {}),
    "a plain row": ("classify a plain row", "mlp", {}),
    "several texts": ("classify several texts", "lstm", {}),
    "a number": ("regress", "tcn", {}),
    "tags": ("tag", "bigru", {}),
    "tags, in lanes": ("tag with a text", "lstm", {"bptt": 3}),
    "tags together": ("tag together", "bilstm", {}),
    "a transcript": ("transcribe", "bitransformer", {}),
    "the next token, in lanes": ("next_step", "lstm", {"bptt": 3}),
    "the next token, k2 > k1": ("next_step", "gru", {"bptt": 2, "bptt_gradient": 4}),
    "the next token, attention in lanes": ("next_step", "transformer", {"bptt": 4}),
    "the next symbol, a scan": ("next_step symbols", "minlstm", {"bptt": 4}),
    "several at once": ("next_step several", "rnn", {}),
    "the next number, by the delta rule": ("next_step real", "deltanet", {"bptt": 4}),
    "hidden tokens": ("fill", "bitransformer", {}),
    "a forecast": ("forecast", "window", {}),
    "quantiles": ("forecast quantiles", "gru", {}),
    "a forecast with its spread": ("forecast gaussian", "mingru", {}),
    "a forecast that knows a plan": ("forecast ahead", "lstm", {}),
    "a written answer": ("translate", "gru", {}),
    "a written answer, attention": ("translate two texts", "transformer", {"lr": 0.001}),  # 0.002 enlarges rounding
    "items, some of which are compared": ("items", "gru", {}),
}
HOW = ("whole", "micro-batches", "ranks", "ranks with micro-batches")


def trained(
    folder: Path, name: str, steps: int, batch: int, together: Together = ALONE, micro: int = 1, sharded: bool = False
) -> None:
    """Train a case; its last checkpoint and its metrics stay in ``folder``."""
    sample_of, model, options = CASES[name]
    options = {**options, "shard_weights": sharded}
    sample = ITEMS if sample_of == "items" else SAMPLES[sample_of]
    task = sample.ask()
    examples = sample.examples(task)
    torch.manual_seed(0)
    network = network_for(task, model)
    if sample_of == "items":
        measured = task.measure_training(examples)
        network.initialise(measured.prior, measured.longest, 3)
    config = training({"steps": steps, "batch": batch, "accumulate": micro, **options})
    Trainer(network, task, examples, examples, config, folder / name, together=together).run()


def main(folder: Path, steps: int, ranks: int, batch: int, sharded: int) -> None:
    """Train each case in each way; with ``sharded`` also with weights that are sharded over the ranks."""
    torch.set_num_threads(1)

    def on_ranks(_: int) -> None:
        for name in CASES:
            trained(folder / "ranks", name, steps, batch, join())
            trained(folder / "ranks with micro-batches", name, steps, batch, join(), micro=2)
            if sharded and "items" not in name:  # a sampled softmax is refused
                trained(folder / "sharded weights", name, steps, batch, join(), micro=2, sharded=True)

    children = fork(ranks, on_ranks)
    for name in CASES:
        trained(folder / "whole", name, steps, batch)
        trained(folder / "micro-batches", name, steps, batch, micro=3)
    if codes := [code for code in ended(children) if code]:
        sys.exit(f"ranks ended with {codes}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
