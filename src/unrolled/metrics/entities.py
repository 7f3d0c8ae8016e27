"""Entities: precision, recall and F1 of the named entities that tags mark."""

from __future__ import annotations

from typing import ClassVar

import torch

from unrolled.metrics.judged import ChosenTags
from unrolled.metrics.metric import Measure, Sums

__all__ = ["Entities"]


class Entities:
    r"""Precision, recall and :math:`F_1 = 2 P R / (P + R)` of entities; 0 if none is found, or there are none.

    .. math:: P = \frac{\text{found and right}}{\text{found}}, \quad R = \frac{\text{found and right}}{\text{there}}

    References:
        Tjong Kim Sang and De Meulder, 2003. https://aclanthology.org/W03-0419
        Nakayama, seqeval, 2018. https://github.com/chakki-works/seqeval

    Example:
        >>> from unrolled.metrics._iob2 import IOB2
        >>> place, out = 0, 1
        >>> chosen, right = torch.tensor([place, out, place, out]), torch.tensor([place, out, out, out])
        >>> first = torch.tensor([True, False, False, False])
        >>> tags = ChosenTags(chosen, right, first, IOB2.of(["B-place", "O"]))
        >>> Entities().values(Entities().sums(tags))
        {'entity_precision': 0.5, 'entity_recall': 1.0, 'entity_f1': 0.6666666666666666}
    """

    judges: ClassVar[tuple[type, ...]] = (ChosenTags,)
    measures: ClassVar[tuple[Measure, ...]] = tuple(
        Measure(f"entity_{name}", "share", "higher") for name in ("precision", "recall", "f1")
    )

    def sums(self, judged: ChosenTags) -> Sums:
        steps = (part.cpu().numpy() for part in (judged.chosen, judged.right, judged.first))
        return {"names": torch.from_numpy(judged.scheme.count(*steps)), "count": torch.tensor(len(judged.right))}

    def values(self, sums: Sums) -> dict[str, float]:
        if not int(sums["count"]):
            return {}
        right, found, there = sums["names"].tolist()
        precision, recall = (right / of if of else 0.0 for of in (found, there))
        f1 = 2 * right / (found + there) if right else 0.0
        return {"entity_precision": precision, "entity_recall": recall, "entity_f1": f1}


MEMBER = Entities
