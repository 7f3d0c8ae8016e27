"""Rare labels: weights of the labels in the loss, and the probability from which the rarer of two labels is given.

Axes: N answers, K labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import field_validator
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import Part, option
from unrolled.data.examples.examples import Examples
from unrolled.errors import UsageError, did_you_mean, named
from unrolled.layers.graph import Shaped, Value
from unrolled.tasks._initial_bias import counts_of
from unrolled.tasks.task import Measured, Task

__all__ = ["Cut", "RareOptions", "best_cut", "label_weights", "measured_labels", "with_cut", "written_labels"]

_BALANCED, _F1 = "balanced", "f1"
_LISTED = 10  # labels in a message


class RareOptions(Part):
    """The options of tasks whose answers are labels."""

    class_weights: str | None = option(
        None,
        "Weights of the labels in the loss: balanced (rarer ones count more), or such as fault=5,ok=1. Default: all 1.",
        also=("class_weight", "weights_of_classes", "pos_weight", "scale_pos_weight", "label_weights"),
    )
    threshold: str | None = option(
        None,
        "Probability from which the rarer of two labels is given, or f1 to choose it on the validation data. "
        "Default: 0.5.",
        pattern=r"^(f1|0?\.\d*[1-9]\d*)$",
        examples=("0.3", "f1"),
        also=("decision_threshold", "cutoff", "prob_threshold"),
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        return ",".join(f"{name}={weight}" for name, weight in given.items()) if isinstance(given, Mapping) else given

    @field_validator("threshold", mode="before")
    @classmethod
    def _as_number(cls, given: Any) -> Any:
        return f"{given:f}".rstrip("0") if isinstance(given, float) else given


def label_weights(asked: str | None, labels: Sequence[Any], counts: np.ndarray) -> Tensor | None:
    r"""The weight of each label in the loss, (K,) float32; ``None`` if all are 1.

    .. math:: w_k = N / (K n_k) \quad\text{for balanced weights, whose mean over the training data is 1}

    Args:
        asked: the option ``class_weights``.
        labels: the K labels.
        counts: (K,) how often each occurs in the training data.

    Raises:
        UsageError: it names something that is not a label, or a weight that is not a number above 0.

    References:
        King and Zeng, Logistic Regression in Rare Events Data, 2001. https://doi.org/10.1093/oxfordjournals.pan.a004868

    Example:
        >>> label_weights("balanced", ["fault", "ok"], np.array([10, 90]))
        tensor([5.0000, 0.5556])
        >>> label_weights("fault=3", ["fault", "ok"], np.array([10, 90]))
        tensor([3., 1.])
    """
    if asked is None:
        return None
    if asked == _BALANCED:
        seen = counts > 0
        weights = np.where(seen, counts.sum() / (max(1, seen.sum()) * np.maximum(counts, 1)), 1.0)
        return torch.from_numpy(weights).float()
    names, found = [str(label) for label in labels], torch.ones(len(labels))
    for pair in asked.split(","):
        name, _, weight = (text.strip() for text in pair.rpartition("="))
        if name not in names:
            known = did_you_mean(name, names[:_LISTED])
            raise UsageError(f"{named('class_weights')}: {name or pair.strip()!r} is not a label.{known}")
        try:
            found[names.index(name)] = float(weight)
        except ValueError:
            raise UsageError(
                f"{named('class_weights')}: the weight of {name} must be a number, not {weight!r}"
            ) from None
    if not bool((found > 0).all()) or not bool(found.isfinite().all()):
        raise UsageError(f"{named('class_weights')}: each weight must be above 0, got {asked}")
    return found


class Cut:
    """Gives the rarer of two labels from a probability on.

    Attributes:
        positive: the label, 0 or 1.
        least: the probability from which it is given, in (0, 1).
    """

    def __init__(self, positive: int, least: float) -> None:
        self.positive, self.least = positive, least

    @classmethod
    def asked(cls, asked: str | None, labels: Sequence[Any], counts: np.ndarray) -> Cut | None:
        """From the option ``threshold`` and how often each label occurs in the training data.

        Raises:
            UsageError: there are not two labels.
        """
        if asked is None:
            return None
        if len(labels) != 2:
            raise UsageError(f"{named('threshold')} only works with two labels; the target has {len(labels)}")
        return cls(int(np.argmin(counts)), 0.5 if asked == _F1 else float(asked))

    @classmethod
    def learned(cls, numbers: Mapping[str, float]) -> Cut | None:
        """From what was saved with the model; ``None`` if it has none."""
        return cls(int(numbers["positive"]), numbers["threshold"]) if "threshold" in numbers else None

    def numbers(self) -> dict[str, float]:
        """What is saved with the model."""
        return {"positive": self.positive, "threshold": self.least}

    def choose(self, chances: Tensor) -> Tensor:
        """(…, 2) probabilities -> (…) int64 labels."""
        given = chances[..., self.positive] >= self.least
        return torch.where(given, self.positive, 1 - self.positive)

    def write(self, chances: Value) -> Value:
        """The same, as a graph."""
        given = ~(chances.part(self.positive, self.positive + 1, -1).squeeze(-1) < self.least)
        label = chances.graph.constant([1 - self.positive, self.positive], np.int64)
        return chances.graph.op("Gather", label, given.to(np.int64))


def written_labels(outputs: Value, cut: Cut | None, axes: tuple[str, ...], labels: int) -> dict[str, Shaped]:
    """The probabilities of ``labels`` labels along ``axes``, and the label that is given, as a graph."""
    chances = outputs.apply("Softmax", axis=-1)
    best = outputs.apply("ArgMax", axis=-1, keepdims=0) if cut is None else cut.write(chances)
    return {"p": (chances, (*axes, labels)), "best": (best, axes)}


def best_cut(cut: Cut, answers: Iterable[tuple[Tensor, Tensor]]) -> Cut:
    """``cut`` with the probability that has the highest F1 on the validation data.

    Args:
        cut: as it was before.
        answers: (N, 2) probabilities and (N,) right labels, batch by batch.

    Example:
        >>> chances = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.95, 0.05]])
        >>> best_cut(Cut(1, 0.5), [(chances, torch.tensor([0, 1, 1, 0]))]).least
        0.2
    """
    parts = [(chances[:, cut.positive].double(), right == cut.positive) for chances, right in answers]
    scores, truths = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
    if not truths.any():
        return cut
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # of each run of equal scores
    f1 = 2 * np.cumsum(truths[order])[last] / (last + 1 + truths.sum())
    at = int(last[int(np.argmax(f1))])
    below = scores[order[at + 1]] if at + 1 < len(order) else 0.0
    return Cut(cut.positive, round(float(scores[order[at]] + below) / 2, 6))


def measured_labels(task: Any, options: RareOptions, train: Examples, prior: Tensor) -> Measured:
    """The task with its weights and threshold from the training split, and the initial bias that fits the weights.

    Args:
        task: of labels; made of options, preprocessor and weights.
        options: its options.
        train: the training split.
        prior: (K,) log frequencies of the labels.

    Raises:
        UsageError: the weights or the threshold do not fit the labels.
    """
    assert train.target is not None
    counts = counts_of(train.target.values, len(task.labels))[: len(task.labels)]
    weights = label_weights(options.class_weights, task.labels, counts)
    cut = Cut.asked(options.threshold, task.labels, counts)
    if weights is None and cut is None:
        return Measured(task, prior)
    coder = task.coder if cut is None else replace(task.coder, learned={**task.coder.learned, **cut.numbers()})
    weighted = prior if weights is None else torch.log_softmax(prior + weights.log(), -1)
    return Measured(type(task)(options, coder, weights), weighted)


def with_cut(task: Any, options: RareOptions, answered: Iterable[tuple[Any, Batch]]) -> Task:
    """The task with the threshold that is best on the validation split, if its options ask for that."""
    if options.threshold != _F1:
        return task
    found = (task.labelled(outputs, batch) for outputs, batch in answered)
    cut: Cut = best_cut(task.cut, ((one.chances, one.right) for one in found))
    return type(task)(options, replace(task.coder, learned={**task.coder.learned, **cut.numbers()}), task.weights)
