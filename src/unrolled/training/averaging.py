"""Averaged weights: what is validated, kept and shipped, instead of the weights that are trained.

At a constant learning rate, the weights move about an optimum; their average lies nearer to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from unrolled.training.weight_shards import like

__all__ = ["Average"]

_SLOWEST = 0.998


class Average:
    r"""An exponential average of the weights of a network.

    .. math::
        \bar w \leftarrow \bar w + (1 - d)(w - \bar w), \quad d = \min(0.998, (1 + n) / (10 + n))

    after n steps, so that it reaches back over about the last ninth of the steps, and never over many more than 500.

    Cost: one pass over the weights a step, and a copy of them.

    References:
        Hägele et al. 2024, https://arxiv.org/abs/2405.18392

    Args:
        network: the network, on its device.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._fast = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
        self._slow = {name: weight.clone() for name, weight in self._fast.items()}

    def leave_out_sparse(self) -> None:
        """Leave out each weight whose gradient is sparse: its step costs as little as the few rows that it changes.

        To average all rows would cost as much as a dense step. Such a weight is kept as it is.
        """
        for name, parameter in self._network.named_parameters():
            if parameter.grad is not None and parameter.grad.is_sparse and name in self._slow:
                del self._slow[name], self._fast[name]

    def update(self, steps: int) -> None:
        """Take in the weights after a step; ``steps`` were taken in before it.

        A row that never changes stays the same to the bit, as its difference is 0.
        """
        share = 1 - min(_SLOWEST, (1 + steps) / (10 + steps))
        if self._slow:
            torch._foreach_lerp_(list(self._slow.values()), list(self._fast.values()), share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network has the averaged weights while this is open."""
        kept = {name: weight.clone() for name, weight in self._fast.items()}
        self.put()
        try:
            yield
        finally:
            for name, weight in self._fast.items():
                weight.copy_(kept[name])

    def put(self) -> None:
        """Give the network the averaged weights."""
        for name, weight in self._fast.items():
            weight.copy_(self._slow[name])

    def restart(self) -> None:
        """Begin again from the weights of the network."""
        for name, weight in self._slow.items():
            weight.copy_(self._fast[name])

    def tensors(self) -> dict[str, Tensor]:
        """The averaged weights by name, for a checkpoint."""
        return dict(self._slow)

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from `tensors`, after the weights of the network were restored.

        A checkpoint of an earlier version has none; the average then begins from the weights.
        """
        self.restart()
        if not saved:
            return
        for name, slow in list(self._slow.items()):
            if name in saved:
                slow.copy_(like(slow, saved[name]))
            else:
                del self._slow[name], self._fast[name]
