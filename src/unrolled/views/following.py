"""What the model expects to follow each step, what followed, and what each step cost.

Axes: T steps, V symbols, K of them shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.models.encoder_decoder import Written
from unrolled.page.document import Section
from unrolled.tasks.task import Task
from unrolled.views.looked import ROW, WRITTEN, Looked, names_of

__all__ = ["costs", "expected"]

_SHOWN = 8
_UNITS = ("nats", "bits")


def expected(looked: Looked) -> Iterator[Section]:
    """The likeliest symbols of each step: of the row, or of an answer that is written."""
    coder, target, outputs = looked.task.coder, looked.batch.target, looked.trace.outputs
    if isinstance(outputs, Written) and outputs.logits is not None and target is not None:
        nats = torch.nn.functional.cross_entropy(
            outputs.logits, (came := target[0, 1 : 1 + len(outputs.logits)]), reduction="none"
        )
        yield _following(looked, "What is written next", WRITTEN, outputs.logits, came, nats)
    elif coder.form.predicts_next and looked.task.mixing == "softmax" and isinstance(outputs, Tensor):
        right = None if target is None else target[0]
        yield _following(looked, "What comes next", ROW, outputs, right, looked.trace.loss)


def _following(
    looked: Looked, title: str, group: str, outputs: Tensor, right: Tensor | None, loss: Tensor | None
) -> Section:
    """From outputs (T, V), what came (T,), and what that cost (T,)."""
    answer = looked.task.coder.answer
    chances, ids = torch.softmax(outputs.float(), -1).topk(min(_SHOWN, outputs.shape[-1]))  # (T, K)
    shown, where = np.unique(ids.numpy(), return_inverse=True)
    came: list[Any] = [None] * len(ids)
    if right is not None:
        target = right.numpy()
        names = zip(target, names_of(answer, target.clip(0)), strict=True)
        came = [None if one < 0 else looked.said(name) for one, name in names]
    data = {
        "symbols": looked.names(answer, shown),
        "ids": where.reshape(ids.shape).astype(np.int32),
        "chances": chances.numpy(),
        "came": came,
        "unit": unit_of(looked.task),
        **({} if loss is None else {"loss": loss.float().numpy()}),
    }
    return Section(title, view="next", data=data, group=group, wide=False)


def costs(looked: Looked) -> Iterator[Section]:
    """The loss of each step."""
    loss = looked.trace.loss
    if loss is None or len(loss) != looked.trace.steps:  # an answer that is written has other steps
        return
    data = {"loss": loss.float().numpy(), "unit": unit_of(looked.task)}
    yield Section("Loss at each step", view="loss", data=data, group=ROW)


def unit_of(task: Task) -> str:
    """The unit of the loss of a step in a word."""
    return next((unit for unit in _UNITS if unit in task.watch.split("_")), task.watch)
