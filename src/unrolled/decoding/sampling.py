"""Sample an id from logits. Axes: B rows, V vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from unrolled.config import Part
from unrolled.decoding.validation import broken_scores, check_banned, nothing_left

__all__ = ["Sampling", "choose"]


class Sampling(Part):
    """The options of sampling; temperature, top-k and top-p apply in this order.

    Build it from a user's values with `Sampling.check`, which raises a `UsageError`.

    Attributes:
        temperature: the divisor of the scores, at most 10: 0 always takes the likeliest id, 1 keeps the model's
            probabilities, higher values flatten them.
        top_k: keep only the k likeliest ids; ``None`` keeps all.
        top_p: keep only the likeliest ids that together reach the probability p in (0, 1]; ``None`` keeps all.
        seed: the seed of the generator that `generator` makes.

    References:
        top-k: Fan et al., 2018. https://arxiv.org/abs/1805.04833
        top-p: Holtzman et al., 2020. https://arxiv.org/abs/1904.09751

    Example:
        >>> Sampling.check({"temperature": 0.8, "top_k": 20}).top_k
        20
    """

    temperature: float = Field(1.0, ge=0, le=10)
    top_k: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int = Field(0, ge=0, lt=2**63)

    def generator(self) -> torch.Generator:
        """A new CPU generator with ``seed``, which gives the same choices on every machine."""
        return torch.Generator().manual_seed(self.seed)


def choose(logits: Tensor, settings: Sampling, generator: torch.Generator, banned: Sequence[int] = ()) -> Tensor:
    r"""Draw one id per row from :math:`\text{softmax}(\text{logits} / \text{temperature})` cut to top-k, then to top-p.

    Ties go to the lower id. Exactly B numbers are drawn from ``generator`` (none at temperature 0), one per row in
    order, so a row's choice depends on its index in the batch but never on the other rows' scores.

    Args:
        logits: unnormalised scores; ``-inf`` for an impossible id.
        settings: temperature, top-k and top-p.
        generator: a CPU generator.
        banned: ids that are never chosen, such as padding.

    Shape:
        logits: (B, V) float; the result (B,) int64, on the device of ``logits``.

    Raises:
        ShapeError: ``logits`` is not (B, V).
        UsageError: a banned id is outside [0, V), or all are banned.
        ModelError: a score is NaN or infinite, or a row has no id left to choose.

    Cost: one sort, O(B V log V); O(B V) at temperature 0.

    Example:
        >>> scores = torch.tensor([[0.0, 2.0, 1.0]])
        >>> choose(scores, Sampling(temperature=0), torch.Generator())
        tensor([1])
        >>> choose(scores, Sampling(temperature=0), torch.Generator(), banned=[1])
        tensor([2])
    """
    scores = _allowed(logits.detach(), banned)
    if settings.temperature == 0:
        return scores.argmax(-1)
    # float64, with the largest score shifted to 0, so that no temperature above 0 overflows
    scores, ids = scores.double().sort(dim=-1, descending=True, stable=True)  # (B, V)
    scores = (scores - scores[:, :1]) / settings.temperature
    if settings.top_k is not None:
        scores, ids = scores[:, : settings.top_k], ids[:, : settings.top_k]
    sums = scores.exp().cumsum(-1)  # (B, V or k)
    if settings.top_p is not None and settings.top_p < 1:
        # the last id kept is the first whose sum reaches p
        last = torch.searchsorted(sums, settings.top_p * sums[:, -1:]).clamp(max=sums.shape[1] - 1)  # (B, 1)
        total = sums.gather(1, last)
    else:
        total = sums[:, -1:]
    draws = torch.rand(len(sums), 1, dtype=torch.float64, generator=generator).to(sums.device)
    # right=True finds the first sum above the draw, so it never lands on an id of probability 0
    place = torch.searchsorted(sums, draws * total, right=True)  # (B, 1)
    return ids.gather(1, place).squeeze(1)


def _allowed(logits: Tensor, banned: Sequence[int]) -> Tensor:
    check_banned(logits, banned)
    broken = (logits.isnan() | logits.isposinf()).any(-1)
    if broken.any():
        raise broken_scores(int(broken.nonzero()[0]))
    if banned:
        logits = logits.index_fill(1, torch.tensor(sorted(set(banned)), device=logits.device), float("-inf"))
    empty = logits.isneginf().all(-1)
    if empty.any():
        raise nothing_left(int(empty.nonzero()[0]))
    return logits
