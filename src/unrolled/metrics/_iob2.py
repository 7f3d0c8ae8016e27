"""Names of things in tagged sequences: which steps IOB2 tags mark, what may follow what, and how many are found.

``B-place I-place O`` marks one place over two steps: B begins it, I goes on with it, O is outside of everything.

Axes: N steps of all rows end to end, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

__all__ = ["IOB2", "entity_scores"]


@dataclass(frozen=True, slots=True, eq=False)
class IOB2:
    """The labels of a column, as tags.

    Attributes:
        begins: (K,) bool, the labels ``B-…``.
        kinds: (K,) int64, the number of each label's kind of thing; -1 for ``O``.

    References:
        Ramshaw and Marcus, 1995. https://aclanthology.org/W95-0107
        Tjong Kim Sang and Veenstra, 1999, IOB2. https://aclanthology.org/E99-1023

    Example:
        >>> tags = IOB2.of(["B-place", "I-place", "O"])
        >>> tags.forbidden()[:, 1].tolist()  # I-place after B-place, I-place, O, and at the beginning
        [False, False, True, True]
        >>> IOB2.of(["noun", "verb"]) is None
        True
    """

    begins: np.ndarray
    kinds: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[Any]) -> Self | None:
        """The tags that ``labels`` are; ``None`` where one is no such tag, or none marks anything."""
        texts = [label if isinstance(label, str) else "" for label in labels]
        if not all(text == "O" or (text[:2] in ("B-", "I-") and len(text) > 2) for text in texts):
            return None
        names = sorted({text[2:] for text in texts if text != "O"})
        if not names:
            return None
        kinds = np.array([-1 if text == "O" else names.index(text[2:]) for text in texts])
        return cls(np.array([text.startswith("B-") for text in texts]), kinds)

    def forbidden(self) -> np.ndarray:
        """(K + 1, K) bool: whether IOB2 forbids label j after label i; row K is the beginning of a sequence.

        An ``I-x`` may only go on with an ``x``; all else may stand anywhere.
        """
        goes_on = (self.kinds >= 0) & ~self.begins
        before = np.append(self.kinds, -1)
        return np.asarray(goes_on & (before[:, None] != self.kinds))

    def count(self, prediction: np.ndarray, target: np.ndarray, first: np.ndarray) -> np.ndarray:
        """(3,) int64: how many names are found right, are found, and are there. They may be summed over batches.

        A name is right if its first step, its last step and its kind are. Tags that break IOB2 are read as CoNLL's
        script and seqeval read them: an ``I-x`` after anything but an ``x`` begins a name.

        Args:
            prediction, target: labels, all known.
            first: True at the first step of each row; no name reaches over it.

        Shape:
            prediction, target: (N,) integers. first: (N,) bool.

        Cost: O(N).
        """
        found, there = self._spans(prediction, first), self._spans(target, first)
        _, a, b = np.intersect1d(found[0], there[0], assume_unique=True, return_indices=True)
        right = (found[1][a] == there[1][b]) & (found[2][a] == there[2][b])
        return np.array([np.count_nonzero(right), len(found[0]), len(there[0])])

    def _spans(self, labels: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where each name begins, the step after its end, and its kind."""
        kinds = self.kinds[labels]
        before = np.where(first, -1, np.concatenate([[-1], kinds[:-1]]))
        starts = (kinds >= 0) & (self.begins[labels] | (kinds != before))
        at = np.flatnonzero(starts)
        borders = np.append(np.flatnonzero(starts | (kinds < 0)), len(labels))
        return at, borders[np.searchsorted(borders, at, side="right")], kinds[at]


def entity_scores(counts: np.ndarray) -> dict[str, float]:
    r"""Precision, recall and :math:`F_1 = 2 P R / (P + R)` of names; 0 where nothing is found, or nothing is there.

    Args:
        counts: what `IOB2.count` gave, summed.

    References:
        Tjong Kim Sang and De Meulder, 2003. https://aclanthology.org/W03-0419
        Nakayama, seqeval, 2018. https://github.com/chakki-works/seqeval

    Example:
        >>> entity_scores(np.array([1, 2, 4]))
        {'entity_precision': 0.5, 'entity_recall': 0.25, 'entity_f1': 0.3333333333333333}
    """
    right, found, there = (int(count) for count in counts)
    precision, recall = (right / of if of else 0.0 for of in (found, there))
    f1 = 2 * right / (found + there) if right else 0.0
    return {"entity_precision": precision, "entity_recall": recall, "entity_f1": f1}
