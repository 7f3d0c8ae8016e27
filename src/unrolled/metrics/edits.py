"""Edits: token error rate and exact match of written sequences."""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.metrics._edit_distance import edit_distance
from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.judged import TokenSequences
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Edits"]


class Edits:
    r"""The token error rate (the word error rate if tokens are words), and the share of sequences without an error.

    .. math:: \frac{\sum_n d(\hat y_n, y_n)}{\sum_n |y_n|}, \qquad \frac1N \sum_n [d(\hat y_n, y_n) = 0]

    d is the edit distance. The error rate is above 1 if there are more edits than tokens in the targets.

    References:
        Levenshtein 1966; Wagner and Fischer 1974, https://doi.org/10.1145/321796.321811

    Example:
        >>> sequences = TokenSequences(written=[[1, 2, 3], [5]], right=[[1, 3], [5]])
        >>> Edits().values(Edits().sums(sequences))
        {'token_error_rate': 0.3333333333333333, 'exact_match': 0.5}
    """

    judges: ClassVar[tuple[type, ...]] = (TokenSequences,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("token_error_rate", "edits per token", "lower"),
        Measure("exact_match", "share", "higher", "front"),
    )

    def sums(self, judged: TokenSequences) -> Sums:
        edits = torch.from_numpy(edit_distance(judged.written, judged.right))  # (N,)
        tokens = sum(map(len, judged.right))
        return ratio("token_error_rate", edits.sum(), tokens) | ratio("exact_match", (edits == 0).sum(), len(edits))

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


MEMBER = Edits
