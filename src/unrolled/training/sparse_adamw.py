"""AdamW for sparse gradients: updates only the rows of a large matrix that have a gradient.

Axes: V rows of a matrix, H its width, S rows with a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from unrolled.training.weight_shards import whole

__all__ = ["clip_gradients", "step_rows"]


def clip_gradients(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
    """Scale all gradients so that their global norm is at most ``largest``; returns the norm before scaling.

    Sparse gradients are coalesced, so that each row occurs once. If the weights are sharded, all ranks call this.
    """
    parts = []
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
        if parameter.grad is not None:
            parts.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
    norm = whole(nn.utils.get_total_norm(parts))
    if largest < math.inf:
        scale = (largest / (norm + 1e-6)).clamp(max=1)
        for part in parts:
            part.mul_(scale)
    return norm


@torch.no_grad()
def step_rows(optimizer: torch.optim.AdamW) -> None:
    r"""Take AdamW's step for the rows of sparse gradients, and remove these gradients before ``optimizer.step``.

    .. math::
        m_r \leftarrow \beta_1 m_r + (1 - \beta_1) g_r, \quad v_r \leftarrow \beta_2 v_r + (1 - \beta_2) g_r^2, \quad
        W_r \leftarrow (1 - \eta \lambda) W_r - \eta \hat m_r / (\sqrt{\hat v_r} + \epsilon)

    Rows without a gradient do not change: their moments do not decay, and neither do their weights. A row of zeros has
    none: it only stands where padding was read, which must change nothing. The moments are part of AdamW's own state,
    so checkpoints include them.

    Cost: O(S H) a step; the moments are 2 V H numbers.

    References:
        Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101; the moments follow torch.optim.SparseAdam.
    """
    for group in optimizer.param_groups:
        (one, two), rate, epsilon = group["betas"], group["lr"], group["eps"]
        for parameter in group["params"]:
            if parameter.grad is None or not parameter.grad.is_sparse:
                continue
            rows, g = parameter.grad.indices()[0], parameter.grad.values()  # (S,), (S, H)
            parameter.grad = None
            real = g.any(1)
            if not real.any():
                continue
            rows, g = rows[real], g[real]
            state = optimizer.state[parameter]
            if not state:
                state["step"] = torch.zeros((), device=parameter.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
            state["step"] += 1
            step = float(state["step"])
            m = state["exp_avg"][rows].lerp_(g, 1 - one)
            v = state["exp_avg_sq"][rows].mul_(two).addcmul_(g, g, value=1 - two)
            state["exp_avg"][rows], state["exp_avg_sq"][rows] = m, v
            size = (v / (1 - two**step)).sqrt_().add_(epsilon)
            kept = parameter[rows] * (1 - rate * group["weight_decay"])
            parameter[rows] = kept.addcdiv_(m, size, value=-rate / (1 - one**step))
