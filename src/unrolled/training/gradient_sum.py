"""The sum of the gradients of all ranks, with a few numbers beside it: one reduction a step.

Axes: S rows of a sparse gradient, H its width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unrolled.models.model import Model
from unrolled.training.together import Together

__all__ = ["GradientSum"]


class GradientSum:
    """Adds up the gradients of a network over the ranks, and then scales them.

    Dense gradients are laid end to end in float32 and reduced at once; of the sparse ones, the rows are gathered. A
    rank without a row of the batch takes part with zeros. A weight that has a gradient on no rank has none afterwards.

    Cost: 4 bytes sent for each weight, and 8 + 4 H for each row of a sparse gradient; a copy of the gradients.

    Args:
        network: on its device.
        together: the ranks; one that is alone only scales.
        reduced: whether the backward pass has added up the gradients, as it does for weights that are sharded.
    """

    def __init__(self, network: Model, together: Together, reduced: bool = False) -> None:
        self._together, self._reduced = together, reduced
        rows = {id(weight) for weight in network.sparse_weights()}
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        self._dense = [weight for weight in trained if id(weight) not in rows]
        self._sparse = [weight for weight in trained if id(weight) in rows]

    @torch.no_grad()
    def add_up(self, numbers: Sequence[float]) -> list[float]:
        """Replace the gradients by their sums; the sums of ``numbers`` over the ranks."""
        if self._together.alone:
            return list(numbers)
        if self._reduced:
            beside = torch.tensor(_halves(numbers))
            self._together.add_up(beside)
            return _joined(beside.tolist())
        like = self._dense[0] if self._dense else torch.empty(0)
        given = [float(weight.grad is not None) for weight in self._dense]
        parts = [
            weight.new_zeros(weight.numel(), dtype=torch.float32) if weight.grad is None else weight.grad.reshape(-1)
            for weight in self._dense
        ]
        beside = torch.tensor([*given, *_halves(numbers)], dtype=torch.float32, device=like.device)
        flat = torch.cat([*(part.float() for part in parts), beside])
        self._together.add_up(flat)
        *sums, rest = torch.split(flat, [*(weight.numel() for weight in self._dense), len(beside)])
        found = rest.tolist()
        for weight, part, ranks in zip(self._dense, sums, found[: len(given)], strict=True):
            weight.grad = part.view_as(weight).to(weight.dtype) if ranks else None
        for weight in self._sparse:
            self._gather(weight)
        return _joined(found[len(given) :])

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiply all gradients by ``factor``."""
        for weight in (*self._dense, *self._sparse):
            if weight.grad is not None and weight.grad.is_sparse:
                weight.grad = weight.grad.coalesce()
                weight.grad.values().mul_(factor)
            elif weight.grad is not None:
                weight.grad.mul_(factor)

    def _gather(self, weight: nn.Parameter) -> None:
        """The rows of all ranks, in the order of the ranks, so that they add up to the same everywhere."""
        gradient = weight.grad
        if gradient is None:
            rows, values = torch.empty(0, dtype=torch.int64), weight.new_empty(0, weight.shape[1])
        else:
            assert gradient.is_sparse
            gradient = gradient.coalesce()
            rows, values = gradient.indices()[0], gradient.values()
        found = [
            torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
            for part, dtype in ((rows, torch.int64), (values, torch.float32))
            for data in self._together.stack(part.cpu().contiguous().numpy().tobytes())
        ]
        ids, of_all = torch.cat(found[: len(found) // 2]), torch.cat(found[len(found) // 2 :])
        if not len(ids):
            weight.grad = None
            return
        both = (ids[None].to(weight.device), of_all.view(-1, weight.shape[1]).to(weight.device))
        weight.grad = torch.sparse_coo_tensor(*both, size=weight.shape, check_invariants=False)


def _halves(numbers: Sequence[float]) -> list[float]:
    """Each number as two of float32, whose sum is as exact as 48 bits allow."""
    high = torch.tensor(numbers, dtype=torch.float64).float().double()
    low = torch.tensor(numbers, dtype=torch.float64) - high
    low = torch.where(high.isfinite(), low, 0.0)
    pairs: Tensor = torch.stack([high, low], 1).reshape(-1)
    return list(pairs.tolist())


def _joined(halves: list[float]) -> list[float]:
    return [high + low for high, low in zip(halves[::2], halves[1::2], strict=True)]
