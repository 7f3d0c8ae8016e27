"""chrF of translations: the overlap of characters."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import torch

from unrolled.metrics.judged import Translations
from unrolled.metrics.metric import Measure, Sums

__all__ = ["ChrF"]

_LONGEST, _BETA = 6, 2


class ChrF:
    r"""The overlap of characters without blanks, one to six in a row, from 0 to 100.

    .. math:: 100\,\frac{(1 + \beta^2) P R}{\beta^2 P + R}, \qquad \beta = 2

    P and R are the means of the precisions and recalls of the n-grams of each length over the whole corpus. The numbers
    are those of sacreBLEU with its defaults.

    References:
        Popović 2015, https://aclanthology.org/W15-3049

    Example:
        >>> texts = Translations(written=["the cat"], right=["the hat"])
        >>> round(ChrF().values(ChrF().sums(texts))["chrf"], 1)
        28.1
    """

    judges: ClassVar[tuple[type, ...]] = (Translations,)
    measures: ClassVar[tuple[Measure, ...]] = (Measure("chrf", "points", "higher", "front"),)

    def sums(self, judged: Translations) -> Sums:
        counts = torch.zeros(3, _LONGEST, dtype=torch.int64)  # written, right and shared n-grams of each length
        for written, right in zip(judged.written, judged.right, strict=True):
            for n in range(_LONGEST):
                found, wanted = _grams(written, n + 1), _grams(right, n + 1)
                if wanted:  # in a text that is too short, no n-gram can be right or wrong
                    shared = (found & wanted).total()
                    counts[:, n] += torch.tensor([found.total(), wanted.total(), shared])
        return {"chrf": counts, "texts": torch.tensor(len(judged.right))}

    def values(self, sums: Sums) -> dict[str, float]:
        if not int(sums["texts"]):
            return {}
        written, right, shared = sums["chrf"].double()
        both = (written > 0) & (right > 0)
        if not both.any() or not shared.any():
            return {"chrf": 0.0}
        precision, recall = ((shared[both] / of[both]).mean() for of in (written, right))
        return {"chrf": float(100 * (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall))}

    def signatures(self) -> dict[str, str]:
        """How it is computed, in sacreBLEU's terms."""
        return {"chrf": f"nrefs:1|case:mixed|eff:yes|nc:{_LONGEST}|nw:0|space:no|program:unrolled"}


def _grams(text: str, n: int) -> Counter[str]:
    letters = "".join(text.split())
    return Counter(letters[at : at + n] for at in range(len(letters) - n + 1))


MEMBER = ChrF
