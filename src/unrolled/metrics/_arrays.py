"""What is reported: plain functions from arrays to a float, without torch.

Axes: N answers, K classes or labels or channels. In integer targets `MISSING` (-100), in float targets
NaN, marks a value that is not scored. Where nothing is scored the result is NaN. Sums are taken in float64. Arrays
whose shapes do not fit are answered with a `ShapeError`.

The name under which a task reports a value carries its unit: `bits` becomes ``bits_per_token`` or
``bits_per_character``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unrolled.batch import MISSING
from unrolled.errors import ShapeError
from unrolled.metrics._edit_distance import edit_distance
from unrolled.metrics.judged import Ids

__all__ = [
    "accuracy",
    "bits",
    "macro_f1",
    "mae",
    "mse",
    "nll_nats_per_step",
    "r2",
    "set_macro_f1",
    "set_micro_f1",
    "token_error_rate",
]


def accuracy(prediction: np.ndarray, target: np.ndarray) -> float:
    """The share of answers that are right, those whose target is `MISSING` left out.

    Args:
        prediction: the chosen class of each answer.
        target: the right one, or `MISSING`.

    Shape:
        Both the same, of any rank: (N,) or (B, T); integers.

    Cost: O(N).

    Example:
        >>> accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, MISSING]))
        0.6666666666666666
    """
    prediction, target = _scored_labels(prediction, target)
    return float((prediction == target).mean()) if len(target) else math.nan


def macro_f1(prediction: np.ndarray, target: np.ndarray) -> float:
    r"""The mean over classes of :math:`F_1 = 2 TP / (2 TP + FP + FN)`: rare classes count as much as common ones.

    The classes are those that occur in the target or in the prediction, as in scikit-learn. Arguments and errors as
    in `accuracy`; labels are at least 0. Cost: O(N + K).

    References:
        van Rijsbergen, Information Retrieval, 1979. https://scikit-learn.org/stable/modules/model_evaluation.html

    Example:
        >>> round(macro_f1(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0])), 4)
        0.7333
    """
    prediction, target = _scored_labels(prediction, target)
    if not len(target):
        return math.nan
    size = int(max(prediction.max(), target.max())) + 1
    predicted, wanted = np.bincount(prediction, minlength=size), np.bincount(target, minlength=size)
    both = np.bincount(target[prediction == target], minlength=size)
    seen = predicted + wanted > 0
    return float((2 * both[seen] / (predicted + wanted)[seen]).mean())


def bits(nats: float) -> float:
    """The same information in bits: ``bits_per_token``, or ``bits_per_character`` where a token is a character.

    Example:
        >>> bits(math.log(2))
        1.0
    """
    return nats / math.log(2)


def nll_nats_per_step(probabilities: np.ndarray, target: np.ndarray) -> float:
    r"""The binary cross-entropy summed over channels, averaged over steps (or over rows, for sets of labels).

    .. math:: -\frac1N \sum_n \sum_k y_{nk} \ln p_{nk} + (1 - y_{nk}) \ln (1 - p_{nk})

    A NaN in the target leaves its channel out; a step whose channels are all NaN is no step.

    Args:
        probabilities: p in [0, 1] that each channel is on.
        target: 0, 1 or NaN.

    Shape:
        Both (N, K) float.

    Cost: O(N K).

    References:
        Boulanger-Lewandowski et al., 2012. https://arxiv.org/abs/1206.6392

    Example:
        >>> round(nll_nats_per_step(np.full((1, 88), 0.5), np.zeros((1, 88))) / math.log(2), 4)
        88.0
    """
    _same_shape(probabilities, target)
    right = np.where(target > 0.5, probabilities, 1 - probabilities).astype(np.float64)
    known = ~np.isnan(target)
    steps = int(known.any(-1).sum())
    if not steps:
        return math.nan
    with np.errstate(divide="ignore"):  # a certain answer that is wrong costs infinity
        return float(-np.log(right, where=known, out=np.zeros_like(right)).sum() / steps)


def set_micro_f1(prediction: np.ndarray, target: np.ndarray) -> float:
    r"""F1 of all (row, label) pairs together; 0 where no label is right or wanted.

    Args:
        prediction: the labels that were chosen.
        target: the right ones.

    Shape:
        Both (N, K) bool.

    Cost: O(N K).

    Example:
        >>> set_micro_f1(np.array([[True, False], [True, True]]), np.array([[True, False], [False, True]]))
        0.8
    """
    _same_shape(prediction, target)
    if not len(target):
        return math.nan
    marked = int(prediction.sum()) + int(target.sum())
    return 2 * int((prediction & target).sum()) / marked if marked else 0.0


def set_macro_f1(prediction: np.ndarray, target: np.ndarray) -> float:
    """The mean of each label's F1 over the labels that are chosen or wanted somewhere; 0 where there is none.

    Arguments, errors and cost as in `set_micro_f1`.

    Example:
        >>> round(set_macro_f1(np.array([[True, False], [True, True]]), np.array([[True, False], [False, True]])), 4)
        0.8333
    """
    _same_shape(prediction, target)
    if not len(target):
        return math.nan
    marked = prediction.sum(0) + target.sum(0)
    seen = marked > 0
    return float((2 * (prediction & target).sum(0)[seen] / marked[seen]).mean()) if seen.any() else 0.0


def mse(prediction: np.ndarray, target: np.ndarray) -> float:
    """The mean squared error, in squared units of the target.

    Args:
        prediction: the answers.
        target: the right ones; NaN is left out.

    Shape:
        Both the same, of any rank; float.

    Cost: O(N).

    Example:
        >>> mse(np.array([1.0, 3.0, 9.0]), np.array([1.0, 1.0, np.nan]))
        2.0
    """
    error = _errors(prediction, target)
    return float(np.square(error).mean()) if len(error) else math.nan


def mae(prediction: np.ndarray, target: np.ndarray) -> float:
    """The mean absolute error, in units of the target. Shapes, NaN and errors as in `mse`.

    Example:
        >>> mae(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
        1.0
    """
    error = _errors(prediction, target)
    return float(np.abs(error).mean()) if len(error) else math.nan


def r2(prediction: np.ndarray, target: np.ndarray) -> float:
    r"""The share of the target's variance that the answers explain: :math:`1 - \sum e^2 / \sum (y - \bar y)^2`.

    1 is perfect, 0 is as good as the mean, below 0 is worse. Of a constant target: 1 if perfect, else 0. Shapes, NaN
    and errors as in `mse`.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0]))
        0.3571428571428571
    """
    error = _errors(prediction, target)
    if not len(error):
        return math.nan
    known = target[~np.isnan(target)].astype(np.float64)
    total, left = float(np.square(known - known.mean()).sum()), float(np.square(error).sum())
    if total == 0:
        return 1.0 if left == 0 else 0.0
    return 1 - left / total


def token_error_rate(prediction: Sequence[Ids], target: Sequence[Ids]) -> float:
    """The edits of all pairs over the ids of all targets; above 1 where more is wrong than there is.

    Arguments, errors and cost as in `edit_distance`; of words it is the word error rate.

    Example:
        >>> token_error_rate([[1, 2, 3], [5]], [[1, 3], [5, 6]])
        0.5
    """
    total = sum(map(len, target))
    edits = int(edit_distance(prediction, target).sum())
    return edits / total if total else math.nan


def _scored_labels(prediction: np.ndarray, target: np.ndarray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    _same_shape(prediction, target)
    kept = target != MISSING
    return prediction[kept].astype(np.int64), target[kept].astype(np.int64)


def _errors(prediction: np.ndarray, target: np.ndarray) -> npt.NDArray[np.float64]:
    _same_shape(prediction, target)
    known = ~np.isnan(target)
    return np.asarray(prediction[known].astype(np.float64) - target[known].astype(np.float64))


def _same_shape(prediction: np.ndarray, target: np.ndarray) -> None:
    if prediction.shape != target.shape:
        raise ShapeError(f"prediction is {prediction.shape}, expected {target.shape}, the shape of target")
