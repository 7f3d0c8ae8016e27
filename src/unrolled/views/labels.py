"""Labels of steps: what the model says at each step, how sure it is, and where it is wrong.

Axes: T steps, K labels, V symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import MISSING
from unrolled.page.document import Grid, Section
from unrolled.views.looked import ROW, Looked, steps_of

__all__ = ["heard", "label_section", "tags"]

_MOST = 64  # labels that a map shows, those with the highest probability anywhere
_BLANK = "–"


def tags(looked: Looked) -> Iterator[Section]:
    """The label of each step, with the probability of each label; with a CRF that is its share of all paths."""
    task, outputs, batch = looked.task, looked.trace.outputs, looked.batch
    if task.pooled or not task.labels or not isinstance(outputs, Tensor) or not len(outputs):
        return
    right = np.full(len(outputs), MISSING) if batch.target is None else batch.target[0].cpu().numpy()
    # Of all steps, so also of those whose label is not known: these are asked as if it were the first.
    asked = replace(batch, target=torch.zeros(1, len(outputs), dtype=torch.int64), scored=None)
    found = task.labelled(outputs[None].cpu(), asked)
    if found is None or found.chances is None:
        return
    chances, chosen = found.chances.detach().numpy(), found.chosen.numpy()
    names = [str(label) for label in task.labels]
    note = "<p>The labels of the row are chosen together; a probability is that of all paths with it.</p>"
    yield label_section(looked, "Labels", names, chances, chosen, right, note if task.chain else "")


def heard(looked: Looked) -> Iterator[Section]:
    """The likeliest symbol of each step where the answer is a text in the order of the steps, and the blanks."""
    task, outputs = looked.task, looked.trace.outputs
    form = task.coder.form
    if not form.own_length or form.writes or not isinstance(outputs, Tensor) or not len(outputs):
        return
    chances = torch.softmax(outputs.float(), -1).cpu().numpy()
    names = looked.names(task.coder.answer, np.arange(chances.shape[1]))
    names[0] = _BLANK  # the blank has the id of an unknown symbol
    right = np.full(len(chances), MISSING)
    note = f"<p>{_BLANK} is a blank; equal symbols without one between them are one symbol.</p>"
    yield label_section(looked, "Symbols heard at each step", names, chances, chances.argmax(1), right, note)


def label_section(
    looked: Looked,
    title: str,
    names: list[str],
    chances: np.ndarray,
    chosen: np.ndarray,
    right: np.ndarray,
    note: str,
) -> Section:
    """What was chosen at each step, and what is right.

    Args:
        looked: the row.
        title, names: of the section, and of the labels.
        chances, chosen, right: (T, K), (T,) and (T,); a right one below 0 is not known.
        note: HTML below the count of wrong labels.
    """
    steps = np.arange(len(chances))
    known = right >= 0
    shown = np.sort(np.argsort(-chances.max(0), kind="stable")[:_MOST])
    data: dict[str, Any] = {
        "tokens": steps_of(looked)[: len(chances)],
        "names": names,
        "chosen": chosen.astype(np.int32),
        "right": np.where(known, right, -1).astype(np.int32),
        "sure": chances[steps, chosen].astype(np.float32),
        "own": np.where(known, chances[steps, right.clip(0)], np.nan).astype(np.float32),
        "shown": [int(one) for one in shown],
        "chances": Grid(chances[:, shown], 0.0, 1.0),
    }
    wrong = int((known & (chosen != right)).sum())
    told = f"<p>{wrong:,} of {int(known.sum()):,} labels are wrong.</p>" if known.any() else ""
    return Section(title, told + note, "labels", data, ROW)
