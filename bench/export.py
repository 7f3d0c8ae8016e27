"""Exporting to ONNX: size, time of the export, and a step and a batch in onnxruntime beside the kernels.

``python bench/export.py`` takes a minute on one core. Each round measures every case once, so that the ratios hold
under any load; the least of all rounds counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from unrolled.batch import Discrete
from unrolled.export._file import to_onnx
from unrolled.export._graphs import graph_of
from unrolled.export._smaller import rounded
from unrolled.layers.config import ModelConfig
from unrolled.models.network import Network
from unrolled.state import flatten
from unrolled.tasks.task import Task

ROUNDS, SYMBOLS = 20, 64


def main() -> None:
    """Print one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each measurement")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for name, layers in (("lstm", 2), ("gru", 2), ("mingru", 2), ("transformer", 2), ("deltanet", 2)):
        network = _network(name, layers)
        began = time.perf_counter()
        data = to_onnx(graph_of(_task(), network))
        seconds = time.perf_counter() - began
        weights = sum(weight.numel() * 4 for weight in network.parameters())
        small = len(to_onnx(graph_of(_task(), rounded(network, "int8")), "int8"))
        print(
            f"{name} 128 x {layers}: exported in {seconds:.2f} s, {len(data) / 1024:.0f} KiB, "
            f"{(len(data) - weights) / 1024:+.1f} KiB beside the weights, int8 {small / len(data):.1%}"
        )
        _measure(network, _session(data), rounds)


def _network(name: str, layers: int) -> Network:
    torch.manual_seed(0)
    config = ModelConfig(name=name, hidden=128, layers=layers)
    return Network({"text": Discrete(SYMBOLS)}, config, SYMBOLS, pooled=False).eval()


def _task() -> Task:
    coder = SimpleNamespace(specs={"text": Discrete(SYMBOLS)}, inputs={}, by_window=False, strands=None)
    return cast(Task, SimpleNamespace(coder=coder, pooled=False, outputs=SYMBOLS, graph=lambda *_: {}))


def _session(data: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _measure(network: Network, session: Any, rounds: int) -> None:
    outputs = [one.name for one in session.get_outputs()]
    for rows, steps in ((1, 1), (32, 100)):
        ids, lengths = torch.randint(0, SYMBOLS, (rows, steps)), torch.full((rows,), steps)
        state = network.initial_state(rows)
        feed = {"text": ids.numpy(), "lengths": lengths.numpy()}
        feed |= {path: value.numpy() for path, value in flatten(state)}

        def ours(ids: torch.Tensor = ids, lengths: torch.Tensor = lengths, state: Any = state) -> Any:
            with torch.inference_mode():
                return network({"text": ids}, lengths, state)

        def theirs(feed: dict[str, np.ndarray] = feed) -> Any:
            return session.run(outputs, feed)

        apart = float(np.abs(theirs()[0] - ours()[0].numpy()).max())
        times = [(_seconds(theirs, rows * steps), _seconds(ours, rows * steps)) for _ in range(rounds)]
        runtime, kernels = (min(column) * 1e6 for column in zip(*times, strict=True))
        print(
            f"  {rows} x {steps}: onnxruntime {runtime:.0f} us, here {kernels:.0f} us, "
            f"{runtime / kernels:.2f} times, differ by {apart:.1e}"
        )


def _seconds(run: Callable[[], Any], work: int) -> float:
    """Processor time of one call."""
    times = max(1, 200 // work)
    began = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - began) / times


if __name__ == "__main__":
    main()
