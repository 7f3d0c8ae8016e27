"""Attention: where each step looks, for each head, over the row or from what is written to what was read.

Axes: T steps that look, N steps that are looked at, H heads, W of the N that are kept for each step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from unrolled.page.document import Grid, Section
from unrolled.views.looked import ROW, Looked, of_answer, steps_of

__all__ = ["attention"]

_NAME = "attention"
_BYTES = 6_000_000  # weights of all heads that a page holds
_WRITTEN = "written"  # the group of the sections that share the steps of the answer


def attention(looked: Looked) -> Iterator[Section]:
    """A section for each pair of sequences: the row to itself, the answer to the row, the answer to itself."""
    found: dict[tuple[bool, bool], list[tuple[str, np.ndarray]]] = {}
    for name, path in looked.trace.names.items():
        if path.rpartition(".")[2] == _NAME:
            value = looked.trace.values[path].float().cpu().numpy()  # (T, H, N), or (T, N) with one head
            value = value[:, None] if value.ndim == 2 else value
            answers = of_answer(looked, path)
            kind = answers, answers and "own" in path.split(".")
            found.setdefault(kind, []).append((name.removesuffix(f", {_NAME}"), value))
    read = steps_of(looked)
    written = _written(looked)
    for (answers, itself), maps in sorted(found.items()):
        rows, columns = (written if answers else read), (written if itself else read)
        if maps[0][1].shape[0] > len(rows) or not len(rows):
            continue
        title = "Attention along the answer" if itself else "Alignment" if answers else "Attention"
        yield _section(title, maps, rows, columns, _WRITTEN if answers else ROW)


def _written(looked: Looked) -> list[str]:
    """The symbols of the answer as they are written one by one, without ``<begin>``."""
    target, lengths = looked.batch.target, looked.batch.target_lengths
    if not looked.task.coder.form.writes or target is None or lengths is None:
        return []
    return looked.names(looked.task.coder.answer, target[0, 1 : int(lengths[0])].cpu().numpy())


def _section(
    title: str, maps: Sequence[tuple[str, np.ndarray]], rows: list[str], columns: list[str], group: str
) -> Section:
    heads = [
        (name if value.shape[1] == 1 else f"{name}, head {head + 1}" if name else f"head {head + 1}", value[:, head])
        for name, value in maps
        for head in range(value.shape[1])
    ]
    steps, seen = heads[0][1].shape
    width = max(1, min(seen, _BYTES // max(1, len(heads) * steps)))
    at_end = np.arange(steps) + 1 if group == ROW and not _sees_later(heads) else np.arange(steps) + 1 + width // 2
    first = np.clip(at_end - width, 0, seen - width) if width < seen else np.zeros(steps, np.int64)
    places = first[:, None] + np.arange(width)
    data = {
        "rows": rows[:steps],
        "columns": columns[:seen],
        "first": first.astype(np.int32),
        "heads": [{"name": name, **_measures(weights, group == ROW)} for name, weights in heads],
        # The square root, as weights over long rows are small: 255 levels of these tell 0.00002 from 0.
        "maps": [Grid(np.sqrt(np.take_along_axis(weights, places, 1)), 0.0, 1.0) for _, weights in heads],
    }
    body = "<p>What a step looks at is not yet what its answer rests on: a head may be replaced by another.</p>"
    if width < seen:
        body += f"<p>Of each step the nearest {width:,} of {seen:,} weights are kept.</p>"
    return Section(title, body, "attention", data, group)


def _sees_later(heads: Sequence[tuple[str, np.ndarray]]) -> bool:
    return any(bool(np.triu(weights, 1).any()) for _, weights in heads)


def _measures(weights: np.ndarray, distances: bool) -> dict[str, Any]:
    """How spread out the weights of a head are, and how far they look; means over the steps."""
    total = weights.sum(1)
    some = total > 0
    shares = weights[some] / total[some, None]
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    found: dict[str, Any] = {"bits": float(-(shares * logs).sum(1).mean()) if some.any() else math.nan}
    if distances:
        apart = np.abs(np.arange(weights.shape[0])[some, None] - np.arange(weights.shape[1]))
        found["distance"] = float((shares * apart).sum(1).mean()) if some.any() else math.nan
    return found
