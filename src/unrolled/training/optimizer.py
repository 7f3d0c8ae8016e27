"""The optimiser of a network: AdamW, without weight decay for biases and for weights of which some rows are frozen."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unrolled.training.config import TrainingConfig

__all__ = ["optimizer_for"]


def optimizer_for(network: nn.Module, config: TrainingConfig, frozen: Mapping[str, Tensor]) -> torch.optim.AdamW:
    """AdamW for ``network``, whose frozen rows get no gradient from now on.

    Args:
        network: on its device.
        config: gives the rate and the weight decay.
        frozen: name of a parameter -> (rows,) bool, True for rows that must not change.
    """
    parameters = list(network.named_parameters())
    decay = [p for name, p in parameters if p.dim() > 1 and name not in frozen]
    keep = [p for name, p in parameters if p.dim() <= 1 or name in frozen]  # biases are not decayed
    for name, rows in frozen.items():  # without decay, a row whose gradient is always 0 stays bit-identical
        parameter = network.get_parameter(name)
        _hold(parameter, rows.to(parameter.device)[:, None])
    groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": keep, "weight_decay": 0.0}]
    return _AdamW([g for g in groups if g["params"]], lr=config.lr, fused=True)


class _AdamW(torch.optim.AdamW):
    """AdamW as it is. Torch wraps these methods to hide them from its compiler, which it imports for that: 2 s."""

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)


def _hold(parameter: Tensor, rows: Tensor) -> None:
    parameter.register_hook(lambda gradient: gradient.masked_fill(rows, 0))  # type: ignore[no-untyped-call]
