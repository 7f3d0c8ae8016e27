"""The gradient norms of a network's parts: where gradients vanish or explode on their way back."""

from __future__ import annotations

import math

import torch
from torch import nn

from unrolled.training.weight_shards import whole

__all__ = ["norms_by_part", "part_of"]

_STACKS = ("layers", "blocks")


def part_of(parameter: str) -> str:
    """The path of the part that a parameter belongs to: one layer or block of a stack, or the module that holds it.

    Example:
        >>> part_of("layer.layers.1.0.weight_hh"), part_of("decoder.lower.layers.0.0.bias_ih")
        ('layer.layers.1', 'decoder.lower.layers.0')
        >>> part_of("columns.embeddings.0.weight"), part_of("head.bias")
        ('columns.embeddings', 'head')
    """
    owners = parameter.split(".")[:-1]
    stack = next((at for at, word in enumerate(owners) if word in _STACKS), None)
    return ".".join(owners[:2] if stack is None else owners[: stack + 2])


@torch.no_grad()
def norms_by_part(network: nn.Module) -> dict[str, float]:
    """Part -> the norm of the gradient of its weights, in the order of the network; parts without one are left out.

    If the weights are sharded, all ranks call this.

    Cost: one pass over the gradients.
    """
    named = [(name, weight.grad) for name, weight in network.named_parameters() if weight.grad is not None]
    if not named:
        return {}
    norms = torch._foreach_norm([grad.coalesce().values() if grad.is_sparse else grad for _, grad in named])
    squares: dict[str, float] = {}
    for (name, _), norm in zip(named, torch.stack([whole(norm) for norm in norms]).tolist(), strict=True):
        squares[part_of(name)] = squares.get(part_of(name), 0.0) + norm**2
    return {part: math.sqrt(square) for part, square in squares.items()}
