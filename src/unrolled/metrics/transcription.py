"""Word error rate and character error rate of transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import ClassVar

import torch

from unrolled.metrics._edit_distance import edit_distance
from unrolled.metrics._ratios import ratio, ratios
from unrolled.metrics.judged import Transcripts
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Transcription"]


class Transcription:
    r"""The edits from the written texts to the right ones, over the words or characters of the right ones.

    .. math:: \frac{\sum_n d(\hat y_n, y_n)}{\sum_n |y_n|}

    d is the edit distance of words, which blanks part, or of characters. A rate is above 1 if there are more edits than
    words.

    References:
        Levenshtein 1966; Wagner and Fischer 1974, https://doi.org/10.1145/321796.321811

    Example:
        >>> texts = Transcripts(written=["two dogs"], right=["two big dogs"])
        >>> Transcription().values(Transcription().sums(texts))
        {'word_error_rate': 0.3333333333333333, 'character_error_rate': 0.3333333333333333}
    """

    judges: ClassVar[tuple[type, ...]] = (Transcripts,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("word_error_rate", "edits per word", "lower", "front"),
        Measure("character_error_rate", "edits per character", "lower"),
    )

    def sums(self, judged: Transcripts) -> Sums:
        words = ([text.split() for text in texts] for texts in (judged.written, judged.right))
        of_words, of_characters = _edits(*words), _edits(judged.written, judged.right)
        return ratio("word_error_rate", *of_words) | ratio("character_error_rate", *of_characters)

    def values(self, sums: Sums) -> dict[str, float]:
        return ratios(sums)


def _edits(written: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> tuple[torch.Tensor, int]:
    """The edits of all texts, and how many parts the right ones have."""
    ids = {part: number for number, part in enumerate(dict.fromkeys(chain(*written, *right)))}
    rows, wanted = ([[ids[part] for part in text] for text in texts] for texts in (written, right))
    return torch.from_numpy(edit_distance(rows, wanted)).sum(), sum(map(len, wanted))


MEMBER = Transcription
