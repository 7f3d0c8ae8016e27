"""Metrics and answers of next-item prediction, which ranks all items.

Axes: B rows, T steps, N scored steps, V symbols, of which the items start at id ``first``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.negatives import NEGATIVES, negatives
from unrolled.data.encodings._level import UNKNOWN
from unrolled.layers.item_outputs import Chances, ItemOutputs
from unrolled.metrics.judged import ChosenTokens, Nats, Ranks
from unrolled.metrics.ranking import BEST, ranks
from unrolled.models._mixing import mix_chances

__all__ = ["judge_items", "judge_mixed_items", "top_items"]

Judged = tuple[Nats, ChosenTokens, *tuple[Ranks, ...]]


def judge_items(outputs: ItemOutputs, batch: Batch, mask: Tensor, read: Tensor, first: int) -> Judged:
    """The exact loss, the likeliest item and the rank of the right one, without holding all (N, V) scores at once.

    An item that is not in the vocabulary counts as never found. ``<end>`` is not an item, so its rank is not counted.

    Args:
        outputs: the network's outputs.
        batch: the batch, with targets.
        mask: (B, T) bool, the scored steps.
        read: (B, T) int64, the items that the network read.
        first: the id of the first item.
    """
    (found,) = _found(1, outputs.size, batch, mask, read, first)
    for part, chances in outputs.at(mask).pieces(found.right):
        found.take(part, chances)
    return found.answers()


def judge_mixed_items(
    ours: ItemOutputs,
    theirs: ItemOutputs,
    shares: Sequence[float],
    batch: Batch,
    mask: Tensor,
    read: Tensor,
    first: int,
) -> list[Judged]:
    """`judge_items` of each mixture of two outputs, whose probabilities are computed only once.

    Args:
        ours, theirs: the outputs of two models.
        shares: the share of the second in each mixture.
        batch, mask, read, first: as for `judge_items`.
    """
    found = _found(len(shares), ours.size, batch, mask, read, first)
    a, b = (outputs.at(mask).pieces(found[0].right) for outputs in (ours, theirs))
    for (part, of_a), (_, of_b) in zip(a, b, strict=True):
        for share, one in zip(torch.tensor(shares, device=mask.device), found, strict=True):
            one.take(part, mix_chances(of_a, of_b, share))
    return [one.answers() for one in found]


def _found(count: int, size: int, batch: Batch, mask: Tensor, read: Tensor, first: int) -> list[_Found]:
    """What ``count`` models are asked in a batch, before they have answered."""
    assert batch.target is not None
    drawn = _drawn(batch, mask, read, range(first, size))
    return [_Found(batch.target[mask], first, drawn) for _ in range(count)]


class _Found:
    """What is known of the answers to the N questions of a batch so far.

    Args:
        right: (N,) int64.
        first: the id of the first item.
        drawn: (N, 100) the items among which each right one is ranked too; ``None``: it is not.
    """

    def __init__(self, right: Tensor, first: int, drawn: Tensor | None) -> None:
        self.right, self._first, self._drawn = right, first, drawn
        self._nats, self._best = torch.zeros((), dtype=torch.float64, device=right.device), torch.zeros_like(right)
        self._places, self._sampled = (torch.full((len(right),), torch.inf, device=right.device) for _ in range(2))

    def take(self, part: slice, chances: Chances) -> None:
        """Take the answers to the questions in ``part``."""
        own = self.right[part].clamp(min=self._first)
        self._nats += chances.nats.double().sum()
        self._best[part] = chances.every.argmax(-1)
        self._places[part] = ranks(chances.every[:, self._first :], own - self._first).float()
        if self._drawn is not None:
            among = chances.every.gather(1, torch.cat([own[:, None], self._drawn[part]], 1))  # (n, 101)
            self._sampled[part] = ranks(among, torch.zeros_like(own)).float()

    def answers(self) -> Judged:
        """All of it, as metrics accept it."""
        right, known = self.right, self.right >= self._first
        asked = known | (right == UNKNOWN)
        judged = [Ranks(self._places.where(known, torch.inf)[asked])]
        if self._drawn is not None:
            judged.append(Ranks(self._sampled.where(known, torch.inf)[asked], sampled=True))
        count = torch.tensor(len(right), device=right.device)
        return Nats("loss_nats_per_token", self._nats, count), ChosenTokens(self._best, right), *judged


def _drawn(batch: Batch, mask: Tensor, read: Tensor, items: range) -> Tensor | None:
    """(N, 100) sampled items that each question's row does not hold; ``None`` if there are at most 100 items."""
    if len(items) <= NEGATIVES:
        return None
    assert batch.target is not None
    steps = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    rows, real = batch.rows[:, None].expand_as(mask), steps < batch.lengths[:, None]
    holders, held = torch.cat([rows[real]] * 2), torch.cat([read[real], batch.target[real]])
    asked, at, whose, what = (one.cpu().numpy() for one in (rows[mask], steps[mask], holders, held))
    return torch.from_numpy(negatives(asked, at, whose, what, items)).to(mask.device)


def top_items(scores: Tensor, first: int, end: int | None) -> tuple[Tensor, Tensor]:
    """The ids of each row's ten likeliest answers (all if fewer) and their probabilities; both (B, ≤ 10).

    An answer is an item, or ``end`` if rows have one.
    """
    chances = torch.softmax(scores, -1)
    candidates = torch.arange(first, scores.shape[1], device=scores.device)
    if end is not None:
        candidates = torch.cat([candidates.new_tensor([end]), candidates])
    best, places = chances[:, candidates].topk(min(BEST, len(candidates)), -1)
    return candidates[places], best
