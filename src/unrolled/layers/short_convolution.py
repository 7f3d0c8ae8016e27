"""A short causal convolution over time, channel by channel; its state is its last inputs.

Axes: B rows, T steps, W channels, k steps in the kernel.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from unrolled.layers.graph import Value, concat

__all__ = ["convolved", "short_convolution"]


def short_convolution(
    x: Tensor, weight: Tensor, recent: Tensor, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Each channel's weighted sum of its last k inputs.

    ::

        y_t = Σ_{j<k} w_j ⊙ x_{t-j}

    Args:
        x: inputs; padding only affects outputs at padding.
        weight: w, with the weight of the newest input last.
        recent: the k - 1 inputs before ``x``, oldest first.
        lengths: (B,), as `check_lengths` gives them.

    Shape:
        x (B, T, W), weight (k, W), recent (B, k - 1, W) -> y (B, T, W), and the last k - 1 inputs of each row.

    Cost:
        kW multiply-adds per row and step. A sum of k shifted products is several times as fast on a CPU as a grouped
        convolution, forward and backward.
    """
    size, steps = len(weight), x.shape[1]
    x = torch.cat([recent, x], 1)  # (B, k - 1 + T, W)
    y = weight[0] * x[:, :steps]
    for j in range(1, size):
        y = torch.addcmul(y, weight[j], x[:, j : j + steps])
    if lengths is None:
        return y, x[:, steps:].clone()  # a view would keep all of x
    rows, last = torch.arange(len(x), device=x.device), torch.arange(size - 1, device=x.device)
    return y, x[rows.unsqueeze(1), lengths.unsqueeze(1) + last]


def convolved(x: Value, weight: Tensor, recent: Value, lengths: Value) -> tuple[Value, Value]:
    """`short_convolution` as operators."""
    g, size, steps = x.graph, len(weight), x.size(1)
    x = concat([recent, x], 1)  # (B, k - 1 + T, W)
    y = None
    for j in range(size):
        part = x.part(j, steps + j, 1) * g.constant(weight[j])
        y = part if y is None else y + part
    assert y is not None
    return y, x.rows(lengths.unsqueeze(1) + g.constant(np.arange(size - 1)))
