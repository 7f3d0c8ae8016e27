"""Values that are not what the model computed: a unit held, a head made uniform, a value put in place of another.

Axes: B rows, T steps, n steps shown at once, H units or heads, N steps that attention sees.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import ShapeError, UsageError
from unrolled.inspection.answer import without_dropout
from unrolled.inspection.names import in_words
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.watch import watching

__all__ = ["Held", "Put", "Uniform", "evenly"]


class Held:
    """A change, as for `Recorder`: one unit of a value keeps the same number at every step.

    Args:
        path: of a value (B, H) of each step, or (B, n, H).
        unit: from 0.
        number: what it is held at.
    """

    def __init__(self, path: str, unit: int, number: float) -> None:
        self.path, self.unit, self.number = path, unit, number

    def __call__(self, path: str, value: Tensor) -> Tensor:
        """The value with the unit held."""
        if path != self.path:
            return value
        value = value.clone()
        value[..., self.unit] = self.number
        return value


class Uniform:
    """A change that spreads the weights of a head of attention evenly over the steps that it sees.

    Args:
        path: of the weights (B, n, H, N), or of the only head (B, n, N).
        head: from 0.
    """

    def __init__(self, path: str, head: int) -> None:
        self.path, self.head = path, head

    def __call__(self, path: str, value: Tensor) -> Tensor:
        """The weights with the head made uniform."""
        if path != self.path:
            return value
        if value.dim() == 3:
            return evenly(value)
        value = value.clone()
        value[:, :, self.head] = evenly(value[:, :, self.head])
        return value


def evenly(weights: Tensor) -> Tensor:
    """``weights`` (…, N) spread evenly over the steps that have any.

    >>> evenly(torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.0, 0.0]])).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    seen = (weights > 0).to(weights.dtype)
    return seen / seen.sum(-1, keepdim=True).clamp(min=1)


class Put:
    """A change that puts given numbers in place of a value, step by step.

    Args:
        network: the model.
        batch: the one row that it is for.
        path: of the value.
        value: what is put there: (T, …), or what spreads to it, such as one number.

    Raises:
        UsageError: the model does not show such a value.
        ShapeError: ``value`` does not spread to its shape.
    """

    def __init__(self, network: Model, batch: Batch, path: str, value: Tensor | float) -> None:
        # A dry run says in which order the steps come: those of a run from the end are shown from the end.
        order = Recorder(network, keep=lambda other: other == path, change=lambda _, same: same)
        with without_dropout(network), torch.no_grad(), watching(order):
            network.run(batch)
        if path not in order.shown:
            raise UsageError(f"the model shows nothing at {path!r}")
        like = order.values()[path][0]  # (T, …)
        given = torch.as_tensor(value, dtype=like.dtype, device=like.device)
        try:
            given = given.expand_as(like)
        except RuntimeError:
            wanted = tuple(like.shape)
            raise ShapeError(f"{in_words(path)} is {wanted}, and {tuple(given.shape)} does not spread to it") from None
        self._given = given.flip(0) if path in order.backward else given
        self._path, self._several, self._at = path, path in order.several, 0

    def __call__(self, path: str, value: Tensor) -> Tensor:
        """The numbers of the next steps."""
        if path != self._path:
            return value
        start, self._at = self._at, self._at + (value.shape[1] if self._several else 1)
        steps = self._given[start : self._at]
        return (steps if self._several else steps[0])[None].expand_as(value)
