"""Tags of entities, in IOB2 or BIOES: parsing labels, forbidden transitions, and counts of entities found.

``B-place I-place O`` marks one place over two steps: B begins an entity, I continues it, O is outside of all entities.
BIOES also has E for the last step of an entity and S for one of a single step; BILOU writes L and U, and BMES M for I.

Axes: N steps of all rows end to end, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

__all__ = ["IOB2", "entity_scores"]

_LETTERS = tuple("BIESLUM")


@dataclass(frozen=True, slots=True, eq=False)
class IOB2:
    """The labels of a column, read as tags.

    Attributes:
        begins: (K,) bool, the labels that begin an entity: ``B-…``, ``S-…`` and ``U-…``.
        ends: (K,) bool, the labels that end one: ``E-…``, ``L-…``, ``S-…`` and ``U-…``; none in IOB2.
        kinds: (K,) int64, the number of each label's entity type; -1 for ``O``.

    References:
        Ramshaw and Marcus, 1995. https://aclanthology.org/W95-0107
        Tjong Kim Sang and Veenstra, 1999, IOB2. https://aclanthology.org/E99-1023
        Ratinov and Roth, 2009, BILOU. https://aclanthology.org/W09-1119

    Example:
        >>> tags = IOB2.of(["B-place", "I-place", "O"])
        >>> tags.forbidden()[:, 1].tolist()  # I-place after B-place, I-place, O, and at the start
        [False, False, True, True]
        >>> IOB2.of(["noun", "verb"]) is None
        True
    """

    begins: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[Any]) -> Self | None:
        """Read ``labels`` as tags; ``None`` if any label is not one, or all are ``O``."""
        texts = [label if isinstance(label, str) else "" for label in labels]
        if not all(text == "O" or (text[:1] in _LETTERS and text[1:2] == "-" and len(text) > 2) for text in texts):
            return None
        names = sorted({text[2:] for text in texts if text != "O"})
        if not names:
            return None
        kinds = np.array([-1 if text == "O" else names.index(text[2:]) for text in texts])
        begins, ends = (np.array([text != "O" and text[0] in letters for text in texts]) for letters in ("BSU", "ELSU"))
        return cls(begins, ends, kinds)

    def forbidden(self) -> np.ndarray:
        """(K + 1, K) bool: whether the scheme forbids label j after label i; row K is for the start of a sequence.

        An ``I-x`` may only continue an ``x``, and where entities have their own last tag, an ``x`` that has not ended
        must be continued; all other tags are allowed everywhere.
        """
        goes_on = (self.kinds >= 0) & ~self.begins
        open_ = np.append(np.where(self.ends, -1, self.kinds), -1)[:, None]  # the type that may still be continued
        continued = goes_on & (open_ == self.kinds)
        unfinished = (open_ >= 0) & bool(self.ends.any())
        return np.asarray((goes_on | unfinished) & ~continued)

    def count(self, prediction: np.ndarray, target: np.ndarray, first: np.ndarray) -> np.ndarray:
        """(3,) int64: the numbers of correctly found, found, and true entities, which can be summed over batches.

        An entity is correct if its first step, its last step and its type are. Tags that break the scheme are read as
        by the CoNLL script and seqeval: an ``I-x`` that does not follow an open ``x`` begins an entity.

        Args:
            prediction, target: labels, all known.
            first: True at the first step of each row, where any entity before it ends.

        Shape:
            prediction, target: (N,) integers. first: (N,) bool.

        Cost: O(N).
        """
        found, there = self._spans(prediction, first), self._spans(target, first)
        _, a, b = np.intersect1d(found[0], there[0], assume_unique=True, return_indices=True)
        right = (found[1][a] == there[1][b]) & (found[2][a] == there[2][b])
        return np.array([np.count_nonzero(right), len(found[0]), len(there[0])])

    def _spans(self, labels: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The first step of each entity, the step after its end, and its type."""
        kinds = self.kinds[labels]
        before = np.where(first, -1, np.concatenate([[-1], kinds[:-1]]))
        ended = np.concatenate([[False], self.ends[labels][:-1]])
        starts = (kinds >= 0) & (self.begins[labels] | ended | (kinds != before))
        at = np.flatnonzero(starts)
        borders = np.append(np.flatnonzero(starts | (kinds < 0)), len(labels))
        return at, borders[np.searchsorted(borders, at, side="right")], kinds[at]


def entity_scores(counts: np.ndarray) -> dict[str, float]:
    r"""Precision, recall and :math:`F_1 = 2 P R / (P + R)` of entities; 0 if none is found, or there are none.

    Args:
        counts: (3,), the sum of the results of `IOB2.count`.

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
