"""Conversions of a baseline's predictions and targets to the types that metrics accept.

Axes: Q questions, W channels.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.data.examples.examples import Examples
from unrolled.metrics._iob2 import IOB2
from unrolled.metrics.judged import (
    Answers,
    ChosenLabels,
    ChosenTags,
    ChosenTokens,
    CodeLength,
    Nats,
    NextValues,
)

__all__ = [
    "judged_labels",
    "judged_next",
    "judged_tags",
    "judged_tokens",
]


def judged_labels(
    part: Examples, nats: np.ndarray, chosen: np.ndarray, right: np.ndarray, per: Literal["label", "step"]
) -> tuple[Nats, ChosenLabels]:
    """Predictions of one label per question.

    Args:
        part: the split to predict.
        nats: (Q,) −ln p of each right label.
        chosen: (Q,) the predicted label.
        right: (Q,) the right label.
        per: what one question is about: a whole row (``label``) or a step.
    """
    return _nats(f"loss_nats_per_{per}", nats), ChosenLabels(_ids(chosen), _ids(right), classes(part))


def judged_tags(part: Examples, nats: np.ndarray, chosen: np.ndarray) -> Answers:
    """Predictions of a label for each scored step of ``part``, also as tags if the labels are IOB2 tags.

    Args:
        part: the split to predict.
        nats: (Q,) −ln p of each right label.
        chosen: (Q,) the predicted label.
    """
    target, steps = target_of(part), asked_values(part)
    loss, labels = judged_labels(part, nats, chosen, target.values[steps], "step")
    scheme = IOB2.of(part.labels)
    if scheme is None:
        return loss, labels
    assert target.offsets is not None
    first = np.isin(steps, target.offsets) | (np.diff(steps, prepend=-2) != 1)
    return loss, labels, ChosenTags(labels.chosen, labels.right, torch.from_numpy(first), scheme)


def judged_tokens(part: Examples, nats: np.ndarray, chosen: np.ndarray, right: np.ndarray) -> Answers:
    """Predictions of one token per question; arguments as for `judged_labels`."""
    loss = _nats("loss_nats_per_token", nats)
    return loss, ChosenTokens(_ids(chosen), _ids(right)), CodeLength(loss.total, loss.count, part.text_unit)


def judged_next(answer: np.ndarray, right: np.ndarray) -> NextValues:
    """Predictions of the next vector: ``answer`` broadcasts to the shape of ``right``, (Q, W)."""
    wanted = torch.tensor(right)
    return NextValues(torch.tensor(answer).expand_as(wanted), wanted)


def _nats(name: str, nats: np.ndarray) -> Nats:
    return Nats(name, torch.tensor(nats.sum(dtype=np.float64)), torch.tensor(len(nats)))


def _ids(values: np.ndarray) -> Tensor:
    return torch.tensor(values.astype(np.int64))
