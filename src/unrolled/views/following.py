"""What the model expects to follow each step, what followed, and what each step cost.

Axes: T steps, V symbols, K of them shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.page.document import Section
from unrolled.tasks.task import Task
from unrolled.views.looked import ROW, Looked, names_of

__all__ = ["costs", "expected"]

_SHOWN = 8
_UNITS = ("nats", "bits")


def expected(looked: Looked) -> Iterator[Section]:
    """The likeliest symbols of each step."""
    coder, batch, outputs = looked.task.coder, looked.batch, looked.trace.outputs
    if not coder.form.predicts_next or looked.task.mixing != "softmax" or not isinstance(outputs, Tensor):
        return
    chances, ids = torch.softmax(outputs.float(), -1).topk(min(_SHOWN, outputs.shape[-1]))  # (T, K)
    shown, where = np.unique(ids.numpy(), return_inverse=True)
    came: list[Any] = [None] * len(ids)
    if batch.target is not None:
        target = batch.target[0].numpy()
        names = zip(target, names_of(coder.answer, target.clip(0)), strict=True)
        came = [None if one < 0 else looked.said(name) for one, name in names]
    data = {
        "symbols": [looked.said(one) for one in names_of(coder.answer, shown)],
        "ids": where.reshape(ids.shape).astype(np.int32),
        "chances": chances.numpy(),
        "came": came,
        "unit": unit_of(looked.task),
        **({} if looked.trace.loss is None else {"loss": looked.trace.loss.float().numpy()}),
    }
    yield Section("What comes next", view="next", data=data, group=ROW, wide=False)


def costs(looked: Looked) -> Iterator[Section]:
    """The loss of each step."""
    loss = looked.trace.loss
    if loss is None:
        return
    data = {"loss": loss.float().numpy(), "unit": unit_of(looked.task)}
    yield Section("Loss at each step", view="loss", data=data, group=ROW)


def unit_of(task: Task) -> str:
    """The unit of the loss of a step in a word."""
    return next((unit for unit in _UNITS if unit in task.watch.split("_")), task.watch)
