"""Items that follow: the likeliest of each step by name, and the rank of the one that came among all of them.

Axes: T steps, V symbols, K items shown.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from unrolled.layers.item_outputs import ItemOutputs
from unrolled.metrics.ranking import BEST, ranks
from unrolled.page.document import Section, escaped
from unrolled.views.looked import ROW, Looked

__all__ = ["ranked"]


def ranked(looked: Looked) -> Iterator[Section]:
    """The likeliest items of each step; the probabilities of all items are never held for more than a few steps."""
    outputs, coder, steps = looked.trace.outputs, looked.task.coder, looked.trace.steps
    first, target = coder.first_item, looked.batch.target
    if first is None or not isinstance(outputs, ItemOutputs) or not steps:
        return
    right = torch.full((steps,), -1) if target is None else target[0, :steps].cpu()
    known = right >= first  # an end of the row, an item without a name and a missing one have no rank
    asked = right.clamp(min=first)
    count = outputs.size - first
    best = min(BEST, count)
    chances, ids = np.zeros((steps, best), np.float32), np.zeros((steps, best), np.int64)
    places, own = np.zeros(steps, np.int32), np.full(steps, np.nan, np.float32)
    each_step = torch.arange(steps)
    with torch.no_grad():
        for part, found in outputs.at(torch.zeros_like(each_step), each_step).pieces(asked):
            items = found.every[:, first:].cpu()  # (n, V)
            most, which = items.topk(best)
            chances[part], ids[part] = most.numpy(), which.numpy() + first
            wanted = asked[part] - first
            places[part] = torch.where(known[part], ranks(items, wanted), 0).numpy()
            own[part] = items.gather(1, wanted[:, None])[:, 0].where(known[part], torch.nan).numpy()
    names, where = np.unique(np.concatenate([ids.ravel(), asked.numpy()]), return_inverse=True)
    data = {
        "names": looked.names(coder.answer, names),
        "ids": where[: ids.size].reshape(ids.shape).astype(np.int32),
        "chances": chances,
        "came": np.where(known.numpy(), where[ids.size :], -1).astype(np.int32),
        "ranks": places,
        "own": own,
        "count": count,
    }
    yield Section("Ranked next items", _summary(places[places > 0], count, best), "ranked", data, ROW)


def _summary(places: np.ndarray, count: int, best: int) -> str:
    among = f"All {count:,} items of the model are ranked."
    if not len(places):
        return f"<p>{escaped(among)} What came is not known.</p>"
    found, mean = int((places <= best).sum()), float((1 / places).mean())
    return (
        f"<p>{escaped(among)} The item that came is among the first {best} at {found:,} of {len(places):,} steps; its "
        f"mean reciprocal rank is {mean:.3f}.</p>"
    )
