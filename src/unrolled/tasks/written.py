"""What is counted where an answer is a sequence of its own: shared by translate and transcribe."""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.metrics._edit_distance import edit_distance
from unrolled.tasks.task import Sums

__all__ = ["written_metrics", "written_sums"]


def written_sums(nats: Tensor, count: Tensor, answers: list[list[int]], targets: list[list[int]]) -> Sums:
    """What a batch adds: its loss over ``count`` symbols, and the edits from its answers to its targets."""
    edits = torch.from_numpy(edit_distance(answers, targets))  # (B,)
    sums = {"edits": edits.sum(), "exact": (edits == 0).sum(), "rows": torch.tensor(len(targets))}
    return {**sums, "nats": nats.double(), "count": count, "tokens": torch.tensor(sum(map(len, targets)))}


def written_metrics(sums: Sums) -> dict[str, float]:
    """Loss, error rate and share of right answers; each is of at least one symbol, so that nothing is divided by 0."""
    return {
        "loss_nats_per_token": float(sums["nats"]) / max(1.0, float(sums["count"])),
        "token_error_rate": float(sums["edits"]) / max(1.0, float(sums["tokens"])),
        "exact_match": float(sums["exact"]) / float(sums["rows"]),
    }
