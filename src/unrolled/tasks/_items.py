"""Metrics and answers of next-item prediction, which ranks all items.

Axes: B rows, T steps, N scored steps, V symbols, of which the items start at id ``first``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.negatives import NEGATIVES, negatives
from unrolled.data.encodings._level import UNKNOWN
from unrolled.layers.item_logits import LazyLogits
from unrolled.metrics.judged import ChosenTokens, Nats, Ranks
from unrolled.metrics.ranking import BEST, ranks

__all__ = ["judge_items", "top_items"]


def judge_items(
    outputs: LazyLogits, batch: Batch, mask: Tensor, read: Tensor, first: int
) -> tuple[Nats, ChosenTokens, *tuple[Ranks, ...]]:
    """The exact loss, the likeliest item and the rank of the right one, without holding all (N, V) scores at once.

    An item that is not in the vocabulary counts as never found. ``<end>`` is not an item, so its rank is not counted.

    Args:
        outputs: the network's outputs.
        batch: the batch, with targets.
        mask: (B, T) bool, the scored steps.
        read: (B, T) int64, the items that the network read.
        first: the id of the first item.
    """
    assert batch.target is not None
    flat, right = outputs.at(mask), batch.target[mask]  # (N, H), (N,)
    drawn = _drawn(batch, mask, read, range(first, len(outputs.weight)))
    places, sampled = (torch.full((len(right),), torch.inf, device=right.device) for _ in range(2))
    nats, best = torch.zeros((), dtype=torch.float64, device=right.device), torch.zeros_like(right)
    for part, scores in flat.pieces():
        nats += F.cross_entropy(scores, right[part], reduction="none").double().sum()
        best[part] = scores.argmax(-1)
        own = right[part].clamp(min=first)
        places[part] = ranks(scores[:, first:], own - first).float()
        if drawn is not None:
            among = scores.gather(1, torch.cat([own[:, None], drawn[part]], 1))  # (n, 101)
            sampled[part] = ranks(among, torch.zeros_like(own)).float()
    asked, known = (right >= first) | (right == UNKNOWN), right >= first
    judged = [Ranks(places.where(known, torch.inf)[asked])]
    if drawn is not None:
        judged.append(Ranks(sampled.where(known, torch.inf)[asked], sampled=True))
    return Nats("loss_nats_per_token", nats, mask.sum()), ChosenTokens(best, right), *judged


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
