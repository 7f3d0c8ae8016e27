"""Written ids as texts, for the metrics of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unrolled.data.encodings.encoding import Encoding

__all__ = ["as_texts"]


def as_texts(
    encoding: Encoding, written: Sequence[Sequence[int]], right: Sequence[Sequence[int]]
) -> tuple[list[str], list[str]] | None:
    """The written and the right texts; ``None`` where the cells of the column are lists."""
    if not isinstance(encoding.decode(np.zeros(0, np.int64)), str):
        return None
    found, wanted = ([encoding.decode(np.array(ids, np.int64)) for ids in rows] for rows in (written, right))
    return found, wanted
