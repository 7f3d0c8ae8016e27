"""Attention: where each step looks, for each head, over the row or from what is written to what was read.

Axes: T steps that look, N steps that are looked at, H heads, W of the N that are kept for each step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from unrolled.inspection.heads import Head, Heads
from unrolled.inspection.trace import Trace, trace
from unrolled.page.document import Grid, Section
from unrolled.views.looked import ROW, WRITTEN, Looked, of_answer, steps_of, written_of

__all__ = ["attention"]

_NAME = "attention"
_BYTES = 4_000_000  # weights of all heads that a page holds


class _Weights(NamedTuple):
    """The weights (T, H, N) of the heads of one layer."""

    path: str
    name: str
    values: np.ndarray

    def called(self, head: int) -> str:
        """A head in words."""
        words = [self.name] if self.name else []
        return ", ".join([*words, *([f"head {head}"] if self.values.shape[1] > 1 or not words else [])])


def attention(looked: Looked) -> Iterator[Section]:
    """A section for each pair of sequences: the row to itself, the answer to the row, the answer to itself.

    Beside the answer that the data gives stands the model's own, where it is another.
    """
    yield from _sections(looked, "", WRITTEN)
    own = _own_answer(looked)
    if own is not None:
        yield from _sections(replace(looked, trace=own), " of its own answer", "own answer")


def _sections(looked: Looked, of: str, group: str) -> Iterator[Section]:
    found: dict[tuple[bool, bool], list[_Weights]] = {}
    for name, path in looked.trace.names.items():
        if _is_weights(path):
            value = looked.trace.values[path].float().cpu().numpy()  # (T, H, N), or (T, N) with one head
            value = value[:, None] if value.ndim == 2 else value
            answers = of_answer(looked, path)
            kind = answers, answers and "own" in path.split(".")
            if answers or not of:
                found.setdefault(kind, []).append(_Weights(path, name.removesuffix(_NAME).removesuffix(", "), value))
    if not found:
        return
    read, written = steps_of(looked), written_of(looked)
    for (answers, itself), maps in sorted(found.items()):
        rows, columns = (written if answers else read), (written if itself else read)
        if len(maps[0].values) > len(rows) or not len(rows):
            continue
        title = "Attention along the answer" if itself else "Alignment" if answers else "Attention"
        yield _section(title + of, maps, rows, columns, group if answers else ROW, looked.heads)


def _is_weights(path: str) -> bool:
    return path.rpartition(".")[2] == _NAME


def _own_answer(looked: Looked) -> Trace | None:
    """How the model writes its own answer; ``None`` where it is the one that is traced already, or there is none."""
    given, prefixes = looked.batch.target, looked.prefixes
    if not looked.task.coder.form.writes or given is None or looked.trace.own_answer or prefixes is None:
        return None
    found = trace(prefixes.network, looked.task, looked.batch, keep=_is_weights, own_answer=True)
    own = None if found.batch is None else found.batch.target
    return None if own is None or torch.equal(own, given) else found


def _section(
    title: str,
    maps: Sequence[_Weights],
    rows: list[str],
    columns: list[str],
    group: str,
    tests: Heads | None,
) -> Section:
    every = [(of, head) for of in maps for head in range(of.values.shape[1])]
    heads = [(of.called(head), of.values[:, head]) for of, head in every]
    known = {} if tests is None else {(head.path, head.number): head for head in tests.heads}
    tested = [known.get((of.path, head)) for of, head in every]
    steps, seen = heads[0][1].shape
    width = max(1, min(seen, _BYTES // max(1, len(heads) * steps)))
    at_end = np.arange(steps) + 1 if group == ROW and not _sees_later(heads) else np.arange(steps) + 1 + width // 2
    first = np.clip(at_end - width, 0, seen - width) if width < seen else np.zeros(steps, np.int64)
    places = first[:, None] + np.arange(width)
    data = {
        "rows": rows[:steps],
        "columns": columns[:seen],
        "first": first.astype(np.int32),
        "heads": [
            {"name": name, **_measures(weights, group == ROW), **_worth(test)}
            for (name, weights), test in zip(heads, tested, strict=True)
        ],
        # The square root, as weights over long rows are small: 255 levels of these tell 0.00002 from 0.
        "maps": [Grid(np.sqrt(np.take_along_axis(weights, places, 1)), 0.0, 1.0) for _, weights in heads],
    }
    body = _said([test for test in tested if test is not None], 0 if tests is None else tests.answers)
    if width < seen:
        body += f"<p>Of each step the nearest {width:,} of {seen:,} weights are kept.</p>"
    return Section(title, body, "attention", data, group)


def _said(tested: Sequence[Head], answers: int) -> str:
    """What the maps do not show."""
    caution = "What a step looks at is not yet what its answer rests on."
    if not tested:
        return f"<p>{caution}</p>"
    matter, count, over = sum(head.matters for head in tested), len(tested), f"over {answers:,} answers"
    if count == 1:
        it = "It matters here" if matter else "This map explains nothing about the loss here"
        return f"<p>{caution} {it}: made uniform, the loss {over} is {'' if matter else 'not '}surely higher.</p>"
    test = f": the loss {over} is surely higher when one of them looks at all steps alike" if matter else f", {over}"
    others = "" if matter == count else " The maps of the others explain nothing about it."
    return f"<p>{caution} {matter} of {count} heads matter here{test}.{others}</p>"


def _worth(test: Head | None) -> dict[str, Any]:
    if test is None:
        return {}
    return {"harm": test.worth.harm, "error": test.worth.error, "matters": test.matters}


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
