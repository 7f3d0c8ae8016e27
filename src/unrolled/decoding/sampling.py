"""Sample an id from logits. Axes: B rows, V vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from unrolled.config import Part
from unrolled.decoding.validation import broken_scores, check_banned, nothing_left

__all__ = ["Sampling", "choose", "choose_each"]

_FEW = 8  # of so many ids one is kept: then they are found before they are sorted


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

    Cost: one sort, O(B V log V); O(B V) at temperature 0 or with a small top-k.

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
    return _drawn(scores, [settings], torch.rand(len(scores), 1, dtype=torch.float64, generator=generator))


def choose_each(
    logits: Tensor, settings: Sequence[Sampling], generators: Sequence[torch.Generator], banned: Sequence[int] = ()
) -> Tensor:
    """Draw one id per row, as `choose` does it for a single row with the settings and the generator of that row.

    Args:
        logits, banned: as for `choose`.
        settings: temperature, top-k and top-p of each row.
        generators: a CPU generator for each row.

    Shape:
        logits: (B, V) float; the result (B,) int64, on the device of ``logits``.

    Raises:
        ShapeError, UsageError, ModelError: as `choose`; nothing is drawn then.

    Cost: as `choose`.

    Example:
        >>> scores = torch.tensor([[0.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
        >>> hot, greedy = Sampling(temperature=9, seed=4), Sampling(temperature=0)
        >>> choose_each(scores, [hot, greedy], [hot.generator(), greedy.generator()]).tolist()
        [2, 1]
        >>> choose(scores[:1], hot, hot.generator()).tolist()
        [2]
    """
    scores = _allowed(logits.detach(), banned)
    drawn = [row for row, one in enumerate(settings) if one.temperature > 0]
    if not drawn:
        return scores.argmax(-1)
    draws = torch.cat([torch.rand(1, 1, dtype=torch.float64, generator=generators[row]) for row in drawn])
    if len(drawn) == len(settings):
        return _drawn(scores, settings, draws)
    chosen, at = scores.argmax(-1), torch.tensor(drawn, device=scores.device)
    chosen[at] = _drawn(scores[at], [settings[row] for row in drawn], draws)
    return chosen


def _drawn(scores: Tensor, settings: Sequence[Sampling], draws: Tensor) -> Tensor:
    """The ids (B,) at ``draws`` (B, 1) of each row's distribution; ``settings`` are of each row, or one for all."""

    def each(values: Sequence[float]) -> Tensor | float:  # one number for all rows costs least as it is
        alike = min(values) == max(values)
        return values[0] if alike else torch.tensor(values, dtype=torch.float64, device=scores.device)[:, None]

    kept = [min(one.top_k or scores.shape[1], scores.shape[1]) for one in settings]
    # float64, with the largest score shifted to 0, so that no temperature above 0 overflows
    scores, ids = _likeliest(scores, max(kept))  # (B, K)
    sums = ((scores - scores[:, :1]) / each([one.temperature for one in settings])).exp().cumsum(-1)
    total = sums[:, -1:]
    if min(kept) < max(kept):
        total = sums.gather(1, torch.tensor(kept, device=scores.device)[:, None] - 1)
    shares = [1.0 if one.top_p is None else one.top_p for one in settings]
    if min(shares) < 1:
        # the last id kept is the first whose sum reaches p
        last = torch.searchsorted(sums, each(shares) * total).clamp(max=sums.shape[1] - 1)  # (B, 1)
        total = sums.gather(1, last).minimum(total)
    # right=True finds the first sum above the draw, so it never lands on an id of probability 0
    place = torch.searchsorted(sums, draws.to(sums.device) * total, right=True)  # (B, 1)
    return ids.gather(1, place).squeeze(1)


def _likeliest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` highest scores of each row, the highest first, and their ids; ties go to the lower id."""
    if count >= scores.shape[1] // _FEW:
        scores, ids = scores.double().sort(dim=-1, descending=True, stable=True)
        return scores[:, :count], ids[:, :count]
    least = scores.topk(count).values[:, -1:]  # which of several equal ones these are is not said
    many = int((scores >= least).sum(-1).max())
    ids = scores.topk(many).indices.sort(dim=-1).values
    found, order = scores.gather(1, ids).double().sort(dim=-1, descending=True, stable=True)
    return found[:, :count], ids.gather(1, order)[:, :count]


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
