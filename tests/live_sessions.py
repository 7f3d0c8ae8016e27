"""Live sessions of untrained models of the samples, and what a user pushes into them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from samples import SAMPLES, network_for
from torch import Tensor

from unrolled.data.examples.live_row import LiveRow
from unrolled.models.network import Network
from unrolled.streaming.pool import Pool
from unrolled.streaming.session import Session
from unrolled.tasks.task import Task

__all__ = ["PUSHES", "alike", "live", "network_and_task", "pool_of", "session"]


@cache
def network_and_task(sample: str, model: str = "lstm") -> tuple[Network, Task]:
    """The same weights each time, which tests only read."""
    task = SAMPLES[sample].ask()
    torch.manual_seed(2)
    return network_for(task, model).eval(), task


def session(network: Network, task: Task, identity: str = "one") -> Session:
    def tensors(steps: list[dict[str, Any]]) -> list[dict[str, Tensor]]:
        return [{name: torch.from_numpy(array[None]) for name, array in step.items()} for step in steps]

    def encode(value: Any, before: dict[str, float]) -> tuple[list[dict[str, Tensor]], dict[str, float]]:
        steps, after = LiveRow(task.coder).encode(value, before)
        return tensors(steps), after

    return Session(
        network,
        encode,
        task.answers,
        opening=tensors(LiveRow(task.coder).opening()),
        pooled=task.pooled,
        identity=identity,
    )


def live(sample: str, model: str = "lstm") -> Session:
    return session(*network_and_task(sample, model))


def alike(found: Any, expected: Any) -> bool:
    """Whether two answers are the same, but for the rounding of torch's functions over one number and over many."""
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, rel=1e-6, abs=1e-9))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(alike(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(alike, found, expected))
    return bool(found == expected)


def pool_of(sample: str, model: str = "lstm") -> Pool:
    network, task = network_and_task(sample, model)
    row = LiveRow(task.coder)
    return Pool(
        network,
        row.encode_many,
        task.answers,
        opening=row.opening(),
        pooled=task.pooled,
        remembers=row.remembers,
        identity="one",
        most_steps=4,
    )


# One step of each, as a user pushes it.
PUSHES: dict[str, list[Any]] = {
    "classify": [{"text": token, "age": 3} for token in "abcab"],
    "classify several": list("abcab"),
    "regress": [0.5, 1.0, -0.25],
    "tag": list("abcab"),
    "next_step": list("abcab"),
    "next_step several": [[1, 0, 1], [0, 0, 0]],
    "next_step real": [0.5, 1.0, -0.25],
    "forecast": [{"wave": 0.5, "other": 2.0}, {"wave": 0.25, "other": 0.0}],
    "forecast quantiles": [[0.5, 2.0], [0.25, 0.0]],
    "forecast ahead": [{"wave": wave, "other": 2.0, "place": "v"} for wave in (0.5, None, None, 0.25, None)],
}
