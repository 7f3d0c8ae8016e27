"""The loss of a head that predicts a Gaussian for each value, shared by the tasks that predict numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["LEAST_LOG_SIGMA", "bounded", "gaussian_nats"]

LEAST_LOG_SIGMA = -7.0  # σ stays near or above a thousandth of the data's standard deviation


def bounded(log_sigma: Tensor) -> Tensor:
    """Log σ with a lower bound, without which a single outlier could make the loss infinite."""
    return log_sigma.clamp(min=LEAST_LOG_SIGMA)


def gaussian_nats(mean: Tensor, log_sigma: Tensor, target: Tensor) -> Tensor:
    """−log N(y; μ, σ) of each value; 0 with no gradient if the target is NaN.

    >>> nats = gaussian_nats(torch.zeros(2), torch.zeros(2), torch.tensor([1.0, math.nan]))
    >>> [round(value, 4) for value in nats.tolist()]
    [1.4189, 0.0]
    """
    known = ~target.isnan()
    z = (torch.where(known, target, mean) - mean) * torch.exp(-log_sigma)
    nats = 0.5 * z.square() + log_sigma + 0.5 * math.log(2 * math.pi)
    return torch.where(known, nats, 0.0)
