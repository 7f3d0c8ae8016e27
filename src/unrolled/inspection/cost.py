"""Measure what a network costs on this machine: the memory of the process, and the time of a live step or a row."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import torch

from unrolled.batch import Discrete, Spec, Spelled
from unrolled.data.examples.examples import Examples
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import outputs_over

__all__ = ["highest_resident", "push_seconds", "resident", "row_seconds"]

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_ROUNDS, _PUSHES = 11, 20


def resident() -> int | None:
    """Resident memory of the process in bytes; also resets the peak of `highest_resident`.

    Only Linux reports this; elsewhere it is ``None``.
    """
    try:
        _FORGET.write_text("5", "ascii")
        return _status("VmRSS")
    except OSError:
        return None


def highest_resident() -> int | None:
    """Peak resident memory in bytes since the last call of `resident`; ``None`` where the system does not report it."""
    try:
        return _status("VmHWM")
    except OSError:
        return None


def push_seconds(network: Model, specs: Mapping[str, Spec]) -> float:
    """The median time in seconds of one live step of one row.

    Args:
        network: the model, on a CPU.
        specs: input column -> its spec.
    """
    network.eval()
    live = network.session()
    inputs = {name: _one_step(spec) for name, spec in specs.items()}
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_PUSHES):
            live.push(inputs)
        times.append((time.perf_counter() - began) / _PUSHES)
    return statistics.median(times)


def row_seconds(network: Model, task: Task, examples: Examples, config: TrainingConfig) -> float:
    """The median time in seconds of a row, or of a window of a forecast, that is read by itself.

    Args:
        network, task: the model, on a CPU.
        examples: the rows; the first twenty or so are read.
        config: gives the windows of long sequences.
    """
    alone = config.model_copy(update={"batch": 1})
    times, began = [], time.perf_counter()
    for _ in islice(outputs_over(network, task, examples, alone), _PUSHES + 1):
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
    return statistics.median(times[1:] or times)  # the first also prepares what the others use again


def _one_step(spec: Spec) -> torch.Tensor:
    if isinstance(spec, Discrete):
        return torch.zeros(1, dtype=torch.int64)
    return torch.ones(1, spec.width, dtype=torch.int64 if isinstance(spec, Spelled) else torch.float32)


def _status(key: str) -> int:
    lines = _STATUS.read_text("ascii", "replace").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))
