"""One answer for a row, as it develops: what the model would have said after each step.

Axes: T steps, P prefixes, K labels or numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from unrolled.page.document import Section, escaped
from unrolled.views.looked import ROW, Looked, steps_of

__all__ = ["developing"]

_PREFIXES, _READ = 200, 100_000  # beginnings of the row, and steps that they have together
_LINES = 8


def developing(looked: Looked) -> Iterator[Section]:
    """The answer after the first step, after more of them, and at last after all."""
    prefixes, task, steps = looked.prefixes, looked.task, looked.trace.steps
    if prefixes is None or not task.pooled or task.coder.horizon or steps != prefixes.steps or steps < 2:
        return
    ends = np.unique(np.linspace(1, steps, max(2, min(_PREFIXES, 2 * _READ // steps))).astype(np.int64))
    columns = prefixes.answers(ends.tolist())
    target = task.coder.target
    by_label = {str(label): columns.get(f"{target}_p_{label}") for label in task.labels}
    lines = {name: found for name, found in by_label.items() if found is not None} or {
        target: columns[f"{target}_predicted"]
    }
    values = np.array([*lines.values()], np.float32).T  # (P, K)
    right = _right(looked)
    kept = _kept(values, [name in right for name in lines])
    names = [name for name, one in zip(lines, kept, strict=True) if one]
    data = {
        "tokens": steps_of(looked),
        "ends": ends.astype(np.int32),
        "names": names,
        "values": values[:, kept],
        "shares": bool(task.labels),
        "right": [name in right for name in names],
        **({} if task.labels or not right else {"known": float(right[0])}),
    }
    said = f"Right, by the data: {escaped(', '.join(right))}." if right else ""
    only = f" The {_LINES} of {len(lines)} labels that were likeliest are drawn." if len(names) < len(lines) else ""
    yield Section("The answer as it develops", f"<p>{said}{only}</p>" if said or only else "", "developing", data, ROW)


def _right(looked: Looked) -> list[str]:
    """The right labels, or the right number; empty where they are not known."""
    task, target = looked.task, looked.batch.target
    if target is None or (looked.hidden and not task.labels):
        return []
    if not task.labels:
        value = task.coder.answer.decode(target[0].cpu().numpy()[None])
        while isinstance(value, list):
            value = value[0]
        return [] if value is None or value != value else [f"{value:.6g}"]
    several = target.dim() > 1
    places = torch.nonzero(target[0] > 0).flatten() if several else target[:1]
    return [str(task.labels[place]) for place in places.tolist() if place >= 0]


def _kept(values: np.ndarray, right: list[bool]) -> np.ndarray:
    """(K,) bool: the lines that are drawn, among them the right ones."""
    order = np.argsort(-(values.max(0) + np.array(right)), kind="stable")[:_LINES]
    return np.isin(np.arange(values.shape[1]), order)
