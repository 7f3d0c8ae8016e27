"""Matrix memories, as of the delta rule: how much they hold, and what each step keeps and writes.

Axes: T steps, H heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from unrolled.page.document import Section
from unrolled.views.looked import ROW, Looked, of_answer

__all__ = ["memories"]

_SHARES = {"a": "share kept", "b": "share written"}


def memories(looked: Looked) -> Iterator[Section]:
    """The size of each head's memory S_t, and the shares a_t that is kept and b_t that is written, over the row."""
    strips: list[dict[str, Any]] = []
    for name, path in looked.trace.names.items():
        before, _, symbol = path.rpartition(".")
        value = looked.trace.values[path]
        if symbol != "memory" or value.dim() != 4 or of_answer(looked, path):
            continue
        where = name.removesuffix("memory")
        sizes = torch.linalg.matrix_norm(value.float())  # (T, H)
        strips.append({"name": f"{where}size of the memory", "values": _numbers(sizes)})
        for share, words in _SHARES.items():
            if (given := looked.trace.values.get(f"{before}.{share}")) is not None:
                strips.append({"name": f"{where}{words}", "values": _numbers(given), "low": 0.0, "high": 1.0})
    if strips:
        said = "<p>A line for each head. The size is the root of the sum of the squares (the Frobenius norm).</p>"
        yield Section("Matrix memory", said, "strips", {"strips": strips, "line": "head"}, ROW)


def _numbers(values: torch.Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
