"""A live session of a trained model: what a user pushes is encoded as the training data was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from unrolled.data.examples.live_row import LiveRow, LiveSteps
from unrolled.data.tables.succession import Succession
from unrolled.errors import UsageError, named
from unrolled.models._copies import Copies
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.streaming.pool import Pool
from unrolled.streaming.session import Session
from unrolled.streaming.snapshots import Memory
from unrolled.tasks.task import Task

__all__ = ["live_session", "many_sessions"]

_TIME = "\0time"  # the time of the latest row, among what the encodings of the columns remember


def live_session(task: Task, copies: Copies, device: str, snapshot: bytes | None, config: RunConfig) -> Session:
    """A session of a model, as `Trained.stream` gives it.

    Args:
        task: the model's task.
        copies: its network.
        device: where the network runs.
        snapshot: where an earlier session stopped; ``None`` for a new one.
        config: how its training data was read.

    Raises:
        UsageError: the model reads later steps, both strands, or whole windows.
    """
    network, coder, data = copies.on(device), task.coder, config.data
    _check_streams(task, network)
    row = LiveRow(coder, sets=data.sets)
    times = Succession(data.order, config.step, config.workdays, data.gap, data.date_order)

    def encode(value: Any, before: Memory) -> tuple[list[dict[str, torch.Tensor]], Memory]:
        steps, after = row.encode(value, before)
        if data.order is not None:
            after[_TIME] = times.look(value if isinstance(value, dict) else {}, before.get(_TIME, []))
        return [_one_row(step) for step in steps], after

    session = Session(
        network,
        encode,
        task.answers,
        opening=map(_one_row, row.opening()),
        pooled=task.pooled,
        identity=copies.identity(),
        noticed=times.say,
    )
    if snapshot is not None:
        session.restore(snapshot)
    return session


def many_sessions(task: Task, copies: Copies, device: str, config: RunConfig, most_steps: int) -> Pool:
    """A pool of sessions of a model, as `Trained.pool` gives it.

    Args:
        task, copies: the model.
        device, most_steps: as for `Trained.pool`.
        config: how its data was read.

    Raises:
        UsageError: as for `live_session`.
    """
    network, coder, data = copies.on(device), task.coder, config.data
    _check_streams(task, network)
    row = LiveRow(coder, sets=data.sets)
    times = Succession(data.order, config.step, config.workdays, data.gap, data.date_order, quiet=True)

    def encode(values: Sequence[Any], befores: Sequence[Memory]) -> LiveSteps:
        steps = row.encode_many(values, befores)
        if data.order is not None:
            for item in {*steps.item.tolist(), *steps.apart}:
                value = values[item] if isinstance(values[item], dict) else {}
                steps.after.setdefault(item, {})[_TIME] = times.look(value, befores[item].get(_TIME, []))
        return steps

    return Pool(
        network,
        encode,
        task.answers,
        opening=row.opening(),
        pooled=task.pooled,
        remembers=row.remembers or data.order is not None,
        identity=copies.identity(),
        most_steps=most_steps,
    )


def _check_streams(task: Task, network: Model) -> None:
    if network.cannot_stream is not None:
        raise UsageError(network.cannot_stream)
    if task.coder.strands is not None:
        both = named("both_strands")
        raise UsageError(
            f"a model with {both} reads each sequence in both directions, so it cannot stream: use predict"
        )
    if task.coder.by_window:
        scaled = f"this model scales each window by all its steps ({named('scale')} window)"
        raise UsageError(f"{scaled}, so it cannot stream: use predict")


def _one_row(step: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array[None]) for name, array in step.items()}
