"""BLEU and chrF of translations, as sacreBLEU computes them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from unrolled.errors import MissingExtra
from unrolled.metrics.judged import Translations
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Translation"]

_log = logging.getLogger(__name__)


class Translation:
    r"""BLEU, the overlap of words one to four long, and chrF, that of characters one to six long; both from 0 to 100.

    .. math:: \mathrm{BLEU} = 100\,\min(1, e^{1 - r/c}) \big(\prod_{n=1}^4 p_n\big)^{1/4}, \qquad
        \mathrm{chrF} = 100\,\frac{5 P R}{4 P + R}

    p_n is the share of the written n-grams that are right, c and r the lengths of the written and the right texts, P
    and R the mean precision and recall of the n-grams of characters. They are those of the whole corpus, with
    sacreBLEU's defaults, which `signatures` names. Without the package, an extra, neither is reported.

    References:
        Papineni et al. 2002, https://aclanthology.org/P02-1040; Popović 2015, https://aclanthology.org/W15-3049;
        Post 2018, https://aclanthology.org/W18-6319

    Example:
        >>> texts = Translations(written=["the cat sat on the mat"], right=["the cat sat on the mat"])
        >>> {name: round(value) for name, value in Translation().values(Translation().sums(texts)).items()}
        {'bleu': 100, 'chrf': 100}
    """

    judges: ClassVar[tuple[type, ...]] = (Translations,)
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("bleu", "points", "higher", "front"),
        Measure("chrf", "points", "higher", "front"),
    )

    def sums(self, judged: Translations) -> Sums:
        if not judged.right:
            return {}
        found = {}
        for name, scorer in _scorers().items():
            counts = scorer._extract_corpus_statistics(list(judged.written), [list(judged.right)])
            found[name] = torch.tensor(counts, dtype=torch.int64).sum(0)
        return found

    def values(self, sums: Sums) -> dict[str, float]:
        scorers = _scorers()
        return {name: float(scorers[name]._compute_score_from_stats(of.tolist()).score) for name, of in sums.items()}

    def signatures(self) -> dict[str, str]:
        """How each number is computed, as papers cite it."""
        texts = Translations(["a"], ["a"])
        self.sums(texts)
        return {name: str(scorer.get_signature()) for name, scorer in _scorers().items()}


@functools.cache
def _scorers() -> Mapping[str, Any]:
    """The programs of sacreBLEU by the name of their number; none, and a warning, if it is not installed."""
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        _log.warning("%s", MissingExtra("sacrebleu", "text", "BLEU"))
        return MappingProxyType({})
    return MappingProxyType({"bleu": BLEU(), "chrf": CHRF()})


MEMBER = Translation
