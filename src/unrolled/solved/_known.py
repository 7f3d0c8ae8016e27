"""Which of the numbers of a step are known.

Axes: C channels, W numbers of a step, with the flags of missing values.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unrolled.data.encodings.facets import Flagged, Numbers

__all__ = ["known_values"]


def known_values(x: Tensor, encoding: Any) -> tuple[Tensor, Tensor]:
    """(..., C) the values in ``x`` (..., W), and which of them are known, bool.

    Args:
        x: steps of a column of numbers.
        encoding: its encoding.
    """
    assert isinstance(encoding, Numbers)
    channels = len(encoding.mean)
    known = torch.ones_like(x[..., :channels], dtype=torch.bool)
    if isinstance(encoding, Flagged) and len(encoding.flagged):
        flagged = list(encoding.flagged)
        known[..., flagged] = x[..., channels : channels + len(flagged)] <= 0
    return x[..., :channels], known
