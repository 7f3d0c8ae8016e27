"""Conversions of a baseline's predictions and targets to the types that metrics accept.

Axes: R rows, Q questions, K classes or channels, W channels.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    ChosenSets,
    ChosenTags,
    ChosenTokens,
    CodeLength,
    Nats,
    NextValues,
    TokenSequences,
    Values,
)

__all__ = [
    "judged_channels",
    "judged_labels",
    "judged_next",
    "judged_numbers",
    "judged_sequences",
    "judged_sets",
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


def judged_sets(probabilities: np.ndarray, sets: np.ndarray) -> Answers:
    """Predictions of the labels with p > 0.5; (R, K) probabilities and (R, K) bool right labels."""
    chosen = torch.tensor(probabilities > 0.5)
    return _binary("loss_nats_per_row", probabilities, sets.astype(np.float32)), ChosenSets(chosen, torch.tensor(sets))


def judged_channels(probabilities: np.ndarray, target: np.ndarray) -> Answers:
    """Predictions of channels that are on or off: (Q, K) probabilities and (Q, K) targets that are 0, 1 or NaN."""
    return (_binary("nll_nats_per_step", probabilities, target),)


def judged_numbers(part: Examples, answer: np.ndarray, right: np.ndarray) -> Answers:
    """Predictions of one number per question; both (Q,), in scaled units."""
    std = 1.0 if part.units is None else float(part.units.std[0])
    return (Values(torch.tensor(answer), torch.tensor(right), std),)


def judged_next(answer: np.ndarray, right: np.ndarray) -> NextValues:
    """Predictions of the next vector: ``answer`` broadcasts to the shape of ``right``, (Q, W)."""
    wanted = torch.tensor(right)
    return NextValues(torch.tensor(answer).expand_as(wanted), wanted)


def judged_sequences(written: Sequence[list[int]], right: Sequence[list[int]], part: Examples) -> Answers:
    """Predictions of one sequence per row of ``part``, and if they are texts, of a text."""
    return (TokenSequences(written, right), *part.texts(written, right))


def _nats(name: str, nats: np.ndarray) -> Nats:
    return Nats(name, torch.tensor(nats.sum(dtype=np.float64)), torch.tensor(len(nats)))


def _binary(name: str, probabilities: np.ndarray, target: np.ndarray) -> Nats:
    """The binary cross-entropy summed over channels; NaN targets, and questions with only NaN, do not count."""
    right = np.where(target > 0.5, probabilities, 1 - probabilities).astype(np.float64)
    known = ~np.isnan(target)
    with np.errstate(divide="ignore"):  # the loss of a certain but wrong answer is infinite
        total = -np.log(right, where=known, out=np.zeros_like(right)).sum()
    return Nats(name, torch.tensor(total), torch.tensor(int(known.any(-1).sum())))


def _ids(values: np.ndarray) -> Tensor:
    return torch.tensor(values.astype(np.int64))
