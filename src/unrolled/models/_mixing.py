"""The outputs of two models as those of one.

Axes: O outputs; of items N selected steps, V symbols.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.layers.graph import Value
from unrolled.layers.item_outputs import Chances, ItemOutputs

__all__ = ["How", "MixedItems", "Outputs", "mix", "mix_chances", "mix_graph", "mixed"]

How = Literal["sum", "mean", "softmax", "sigmoid"]
Outputs = Tensor | ItemOutputs


def mix(first: Tensor, second: Tensor, share: Tensor, how: How) -> Tensor:
    r"""The outputs of two models as those of one.

    .. math::
        \text{sum: } a + b, \qquad \text{mean: } (1 - w) a + w b, \qquad
        \text{softmax: } \ln((1 - w) \operatorname{softmax}(a) + w \operatorname{softmax}(b))

    ``sigmoid`` mixes the probability of each output by itself, and returns its log odds.

    Args:
        first, second: a and b, (…, O).
        share: w in [0, 1], (): the share of the second; ``sum`` ignores it.
        how: what the outputs stand for.

    Example:
        >>> even = mix(torch.tensor([0.0, 0.0]), torch.tensor([9.0, 0.0]), torch.tensor(0.5), "softmax")
        >>> [round(p, 2) for p in even.softmax(0).tolist()]
        [0.75, 0.25]
    """
    if how == "sum":
        return first + second
    if how == "mean":
        return torch.lerp(first, second, share)
    ours, theirs = torch.log1p(-share), share.log()
    if how == "softmax":
        return torch.logaddexp(F.log_softmax(first, -1) + ours, F.log_softmax(second, -1) + theirs)
    on = torch.logaddexp(F.logsigmoid(first) + ours, F.logsigmoid(second) + theirs)
    off = torch.logaddexp(F.logsigmoid(-first) + ours, F.logsigmoid(-second) + theirs)
    return on - off


def mix_graph(first: Value, second: Value, share: float, how: How) -> Value:
    """`mix` as operators."""
    g = first.graph
    if how == "sum":
        return first + second
    if how == "mean":
        return first + (second - first) * share
    ours, theirs = (math.log(part) if part > 0 else -math.inf for part in (1 - share, share))

    def added(a: Value, b: Value) -> Value:
        a, b = a + ours, b + theirs
        most = g.op("Max", a, b)
        return most + ((a - most).apply("Exp") + (b - most).apply("Exp")).apply("Log")

    if how == "softmax":
        return added(first.apply("LogSoftmax", axis=-1), second.apply("LogSoftmax", axis=-1))
    on = added(-(-first).apply("Softplus"), -(-second).apply("Softplus"))
    return on - added(-first.apply("Softplus"), -second.apply("Softplus"))


def mixed(first: Outputs, second: Outputs, share: Tensor, how: How) -> Outputs:
    """`mix` of the outputs of two models; that of outputs over items is computed where it is needed."""
    if isinstance(first, ItemOutputs) and isinstance(second, ItemOutputs):
        return MixedItems(first, second, share, how)
    assert isinstance(first, Tensor) and isinstance(second, Tensor)
    return mix(first, second, share, how)


def mix_chances(first: Chances, second: Chances, share: Tensor) -> Chances:
    """The probabilities of two models as those of their mixture, ``share`` () of which is the second."""
    nats = torch.logaddexp(torch.log1p(-share) - first.nats, share.log() - second.nats).neg()
    return Chances(torch.lerp(first.every, second.every, share), nats)


@dataclass(frozen=True, slots=True)
class MixedItems(ItemOutputs):
    """Two outputs over the same items as one, mixed as `mix` says.

    Attributes:
        first, second: the outputs.
        share: w in [0, 1], (): the share of the second.
        how: what they stand for.
    """

    first: ItemOutputs
    second: ItemOutputs
    share: Tensor
    how: How

    @property
    def size(self) -> int:
        """V."""
        return self.first.size

    def at(self, *index: Tensor | slice) -> Self:
        """The mixture at these steps."""
        return replace(self, first=self.first.at(*index), second=self.second.at(*index))

    def scores(self) -> Tensor:
        """The logits of every symbol, (..., V)."""
        return mix(self.first.scores(), self.second.scores(), self.share, self.how)

    def chances(self, right: Tensor) -> Chances:
        """The probability of every symbol at each of N steps."""
        if self.how != "softmax":
            return ItemOutputs.chances(self, right)  # a class with slots is made anew, so that super() does not know it
        return mix_chances(self.first.chances(right), self.second.chances(right), self.share)

    def float(self) -> Self:
        """The same mixture of float32."""
        return replace(self, first=self.first.float(), second=self.second.float())
