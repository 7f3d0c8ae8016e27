"""BLEU of translations, as sacreBLEU computes it."""

from __future__ import annotations

import functools
import logging
from typing import Any, ClassVar

import torch

from unrolled.errors import MissingExtra
from unrolled.metrics.judged import Translations
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Bleu"]

_log = logging.getLogger(__name__)


class Bleu:
    r"""The overlap of words, one to four in a row, from 0 to 100.

    .. math:: 100\,\min(1, e^{1 - r/c}) \big(\prod_{n=1}^4 p_n\big)^{1/4}

    p_n is the share of the written n-grams that are right, c and r the lengths of the written and the right texts. It
    is that of the whole corpus, with sacreBLEU's defaults, which `signatures` names. Without the package, an extra, it
    is not reported.

    References:
        Papineni et al. 2002, https://aclanthology.org/P02-1040; Post 2018, https://aclanthology.org/W18-6319

    Example:
        >>> texts = Translations(written=["the cat sat on the mat"], right=["the cat sat on the mat"])
        >>> round(Bleu().values(Bleu().sums(texts))["bleu"])
        100
    """

    judges: ClassVar[tuple[type, ...]] = (Translations,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("bleu", "points", "higher", "front"),)

    def sums(self, judged: Translations) -> Sums:
        scorer = _scorer()
        if scorer is None or not judged.right:
            return {}
        counts = scorer._extract_corpus_statistics(list(judged.written), [list(judged.right)])
        return {"bleu": torch.tensor(counts, dtype=torch.int64).sum(0)}

    def values(self, sums: Sums) -> dict[str, float]:
        scorer = _scorer()
        assert scorer is not None or not sums
        return {name: float(scorer._compute_score_from_stats(of.tolist()).score) for name, of in sums.items()}

    def signatures(self) -> dict[str, str]:
        """How it is computed, as papers cite it."""
        self.sums(Translations(["a"], ["a"]))  # which tells the program that there is one right text for each
        scorer = _scorer()
        return {} if scorer is None else {"bleu": str(scorer.get_signature())}


@functools.cache
def _scorer() -> Any:
    """The program of sacreBLEU; ``None``, and a warning, if it is not installed."""
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError:
        _log.warning("%s", MissingExtra("sacrebleu", "text", "BLEU"))
        return None
    return BLEU()


MEMBER = Bleu
