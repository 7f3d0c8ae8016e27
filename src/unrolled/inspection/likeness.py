"""How alike the layers of two models are: linear centred kernel alignment (CKA) of their states at the same steps.

Axes: N steps, H units of one layer, K of the other.
"""

from __future__ import annotations

import numpy as np

__all__ = ["CAVEAT", "likeness"]

CAVEAT = (
    "CKA compares where states lie, not what they do: a few outliers, or a shift that changes no answer, can move it"
)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    r"""The linear CKA of two layers, from 0 to 1; NaN where one of them does not vary.

    ::

        CKA = ‖Yᵀ X‖² / (‖Xᵀ X‖ ‖Yᵀ Y‖)        X (N, H), Y (N, K), each with its mean over the steps taken off

    It does not change when a layer's units are turned, reordered or scaled together. It says where states lie and not
    what they do, see `CAVEAT`. With fewer steps than units it is high by chance.

    Cost: N H K + N H² + N K² multiply-adds.

    References:
        Kornblith et al. 2019, https://arxiv.org/abs/1905.00414; its limits: Davari et al. 2022,
        https://arxiv.org/abs/2210.16156

    Example:
        >>> states = np.random.default_rng(0).normal(size=(100, 3))
        >>> turned = states @ np.array([[0, 2, 0], [2, 0, 0], [0, 0, -2]])
        >>> round(likeness(states, turned), 6)
        1.0
    """
    x, y = (np.asarray(values, np.float64) - np.asarray(values, np.float64).mean(0) for values in (one, other))
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / scale) if scale > 0 else float("nan")
