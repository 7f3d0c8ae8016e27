"""What a split asks, as flat arrays, and the answers' metrics under the tasks' names. Shared by the baselines.

Axes: R rows, N steps of all rows end to end, Q questions, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from unrolled.batch import MISSING, Continuous, Discrete
from unrolled.data.encoded import Encoded
from unrolled.data.examples import Examples
from unrolled.data.forms.base import AsksValues
from unrolled.data.forms.next import Next
from unrolled.metrics import _arrays as metrics
from unrolled.metrics.iob2 import IOB2, entity_scores

__all__ = [
    "asked_values",
    "classes",
    "is_several_hot",
    "label_scores",
    "label_sets",
    "number_scores",
    "set_scores",
    "tag_scores",
    "target_of",
    "written_rows",
    "written_scores",
]

_CHUNK = 1 << 20


def target_of(examples: Examples) -> Encoded:
    """The target, which every baseline needs."""
    assert examples.target is not None, "baselines are scored on splits that have a target"
    return examples.target


def classes(examples: Examples) -> int:
    """K, the classes of a discrete target; 0 of a continuous one."""
    spec = examples.target_spec
    return spec.size if isinstance(spec, Discrete) else 0


def label_sets(examples: Examples) -> np.ndarray:
    """(R, K) bool: the labels of each row that asks for a set of them."""
    target = target_of(examples)
    sets = np.zeros((len(target.lengths()), classes(examples)), bool)
    known = target.values != MISSING
    sets[np.repeat(np.arange(len(sets)), target.lengths())[known], target.values[known]] = True
    return sets


def asked_values(examples: Examples) -> np.ndarray:
    """(Q,) int64: where in the target's values the known answers lie, of a form that asks for values one by one."""
    assert isinstance(examples.form, AsksValues)
    return examples.form.asked(target_of(examples), examples.first, classes(examples) > 0)


def is_several_hot(examples: Examples) -> bool:
    """True for the next step of channels that are all 0 or 1 (or missing), such as the keys of a piano."""
    if not isinstance(examples.form, Next) or not isinstance(examples.target_spec, Continuous):
        return False
    values = target_of(examples).values
    chunks = (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
    return all(bool(((chunk == 0) | (chunk == 1) | np.isnan(chunk)).all()) for chunk in chunks)


def label_scores(
    nats: np.ndarray, prediction: np.ndarray, target: np.ndarray, unit: Literal["label", "step", "token"]
) -> dict[str, float]:
    """The metrics of answers that are classes.

    Args:
        nats: (Q,) −ln p of each right answer.
        prediction: (Q,) the likeliest class.
        target: (Q,) the right class.
        unit: what one question is; tokens are too many for an F1 and have bits instead.
    """
    loss = float(nats.mean(dtype=np.float64)) if len(nats) else float("nan")
    scores = {f"loss_nats_per_{unit}": loss, "accuracy": metrics.accuracy(prediction, target)}
    if unit == "token":
        return {**scores, "bits_per_token": metrics.bits(loss)}
    return {**scores, "macro_f1": metrics.macro_f1(prediction, target)}


def tag_scores(part: Examples, nats: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """The metrics of a label for each asked step of ``part``, those of names too where the labels are IOB2 tags.

    Args:
        part: a split that asks for a label of each step.
        nats: (Q,) −ln p of each right label.
        prediction: (Q,) the likeliest label.
    """
    target, steps = target_of(part), asked_values(part)
    scores = label_scores(nats, prediction, target.values[steps], "step")
    tags = IOB2.of(part.labels)
    if tags is None:
        return scores
    assert target.offsets is not None
    first = np.isin(steps, target.offsets) | (np.diff(steps, prepend=-2) != 1)
    return scores | entity_scores(tags.count(prediction, target.values[steps].astype(np.int64), first))


def set_scores(probabilities: np.ndarray, sets: np.ndarray) -> dict[str, float]:
    """The metrics of (R, K) probabilities of labels against (R, K) bool; a label is chosen above a half."""
    chosen = probabilities > 0.5
    return {
        "loss_nats_per_label": metrics.nll_nats_per_step(probabilities, sets.astype(np.float32)),
        "micro_f1": metrics.set_micro_f1(chosen, sets),
        "macro_f1": metrics.set_macro_f1(chosen, sets),
    }


def written_rows(examples: Examples) -> list[list[int]]:
    """The sequence that each row asks for, without ``<begin>`` and ``<end>``."""
    target = target_of(examples)
    assert target.offsets is not None
    framed = 1 if examples.form.writes else 0
    bounds = zip(target.offsets[:-1].tolist(), target.offsets[1:].tolist(), strict=True)
    return [target.values[start + framed : stop - framed].tolist() for start, stop in bounds]


def written_scores(answers: Sequence[list[int]], targets: Sequence[list[int]]) -> dict[str, float]:
    """The metrics of answers that are sequences."""
    exact = sum(list(a) == list(b) for a, b in zip(answers, targets, strict=True))
    return {
        "token_error_rate": metrics.token_error_rate(answers, targets),
        "exact_match": exact / len(targets) if targets else float("nan"),
    }


def number_scores(prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """The metrics of (Q,) numbers, in scaled units."""
    return {
        "mse": metrics.mse(prediction, target),
        "mae": metrics.mae(prediction, target),
        "r2": metrics.r2(prediction, target),
    }
