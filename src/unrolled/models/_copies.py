"""Copies of a network on other devices, and a fingerprint of its weights, remade only when the weights change."""

from __future__ import annotations

import copy
import hashlib

import numpy as np
import torch
from torch import Tensor

from unrolled.models.model import Model
from unrolled.storage.tensors import save_tensors

__all__ = ["Copies"]


class Copies:
    """Copies of a network on other devices, and the fingerprint of its weights.

    Args:
        network: the original; it stays on its device.

    Cost:
        each call takes 0.5 ms for 4 million weights: it sums them to detect a change.
    """

    def __init__(self, network: Model) -> None:
        self._network = network
        self._seen: list[tuple[int, int, int]] = []
        self._elsewhere: dict[str, Model] = {}
        self._identity: str | None = None

    def on(self, device: str) -> Model:
        """The network on ``device``: the original if it is there, otherwise a copy in the same mode."""
        if self._network.device.type == device:
            return self._network
        self._forget_changed()
        if device not in self._elsewhere:
            self._elsewhere[device] = copy.deepcopy(self._network).to(device)
        return self._elsewhere[device].train(self._network.training)

    def identity(self) -> str:
        """The SHA-256 of the weights; the snapshot of a session uses it to recognise its model."""
        self._forget_changed()
        if self._identity is None:
            self._identity = hashlib.sha256(save_tensors(dict(self._network.state_dict()))).hexdigest()
        return self._identity

    def _forget_changed(self) -> None:
        # torch's version counter misses writes by a fused optimiser and writes to ``weight.data``: hence the sum.
        seen = [(weight.data_ptr(), weight._version, _sum(weight)) for weight in self._network.state_dict().values()]
        if seen != self._seen:
            self._seen, self._identity = seen, None
            self._elsewhere.clear()


def _sum(weight: Tensor) -> int:
    """The sum of a tensor's memory read as 64-bit integers; the last few bytes are added one by one."""
    data = weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
    whole = len(data) // 8 * 8
    return int(data[:whole].view(np.uint64).sum()) + int(data[whole:].sum())
