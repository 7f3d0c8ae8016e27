"""What is reported: plain functions from arrays to a float, without torch.

Axes: N answers, K classes or labels or channels, Q quantiles. In integer targets `MISSING` (-100), in float targets
NaN, marks a value that is not scored. Where nothing is scored the result is NaN. Sums are taken in float64. Arrays
whose shapes do not fit are answered with a `ShapeError`.

The name under which a task reports a value carries its unit: `loss_nats` becomes ``loss_nats_per_token``,
``loss_nats_per_label`` or ``loss_nats_per_step``; `bits` of it ``bits_per_token`` or ``bits_per_character``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unrolled.errors import ShapeError, UsageError

__all__ = [
    "MISSING",
    "accuracy",
    "bits",
    "loss_nats",
    "macro_f1",
    "mae",
    "mase",
    "mse",
    "nll_nats_per_step",
    "pinball",
    "r2",
    "rmse",
    "set_macro_f1",
    "set_micro_f1",
]

MISSING = -100


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


def loss_nats(log_probabilities: np.ndarray, target: np.ndarray) -> float:
    r"""The mean of :math:`-\ln p(\text{target})` in nats: the cross-entropy.

    Args:
        log_probabilities: natural logarithms that sum to 1 over the last axis as probabilities.
        target: the right class of each answer in [0, K), or `MISSING`.

    Shape:
        log_probabilities: (…, K) float; target: (…) integers.

    Raises:
        ShapeError: the shapes do not fit.

    Cost: O(N).

    References:
        Shannon, A Mathematical Theory of Communication, 1948. https://doi.org/10.1002/j.1538-7305.1948.tb01338.x

    Example:
        >>> round(loss_nats(np.log([[0.5, 0.5], [0.9, 0.1]]), np.array([0, MISSING])), 4)
        0.6931
    """
    if log_probabilities.shape[:-1] != target.shape:
        raise ShapeError(f"log_probabilities is {log_probabilities.shape}, expected {(*target.shape, 'K')}")
    flat, answers = log_probabilities.reshape(-1, log_probabilities.shape[-1]), target.reshape(-1)
    kept = np.flatnonzero(answers != MISSING)
    if not len(kept):
        return math.nan
    return float(-flat[kept, answers[kept]].astype(np.float64).mean())


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


def rmse(prediction: np.ndarray, target: np.ndarray) -> float:
    """The root of the mean squared error, in units of the target. Shapes, NaN and errors as in `mse`.

    Example:
        >>> rmse(np.array([1.0, 5.0]), np.array([1.0, 1.0])) == 8 ** 0.5
        True
    """
    return math.sqrt(mse(prediction, target))


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


def pinball(prediction: np.ndarray, target: np.ndarray, quantiles: Sequence[float]) -> float:
    r"""The quantile loss :math:`\max(q e, (q - 1) e)` with :math:`e = y - \hat y_q`, averaged over everything.

    Args:
        prediction: one answer per quantile.
        target: the right value; NaN is left out.
        quantiles: each q in (0, 1).

    Shape:
        prediction: (…, Q) float; target: (…) float.

    Raises:
        ShapeError: the shapes do not fit.
        UsageError: a quantile is out of range.

    Cost: O(N Q).

    References:
        Koenker and Bassett, 1978. https://doi.org/10.2307/1913643

    Example:
        >>> round(pinball(np.array([[0.0, 0.0]]), np.array([1.0]), (0.1, 0.9)), 4)
        0.5
    """
    levels = np.asarray(quantiles, np.float64)
    if not ((levels > 0) & (levels < 1)).all():
        raise UsageError(f"quantiles {tuple(quantiles)}: each must lie between 0 and 1, both excluded")
    if prediction.shape != (*target.shape, len(levels)):
        raise ShapeError(f"prediction is {prediction.shape}, expected {(*target.shape, len(levels))}")
    error = (target[..., None] - prediction.astype(np.float64))[~np.isnan(target)]  # (N, Q)
    return float(np.maximum(levels * error, (levels - 1) * error).mean()) if error.size else math.nan


def mase(prediction: np.ndarray, target: np.ndarray, train: np.ndarray, period: int = 1) -> float:
    r"""The mean absolute error divided by that of the seasonal naive answer on the training series.

    .. math:: \text{mae} \Big/ \frac{1}{n - m} \sum_{t > m} |y_t - y_{t - m}|

    Below 1 is better than repeating the value of one period ago.

    Args:
        prediction: the answers.
        target: the right ones; NaN is left out.
        train: the training series, in order.
        period: m, the steps of one season, at least 1 and less than the length of ``train``.

    Shape:
        prediction and target: the same, of any rank; train: (n,); float.
        UsageError: the period is out of range.

    Cost: O(N + n).

    References:
        Hyndman and Koehler, 2006. https://doi.org/10.1016/j.ijforecast.2006.03.001

    Example:
        >>> mase(np.array([2.0, 2.0]), np.array([1.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0]))
        1.5
    """
    if not 1 <= period < len(train):
        raise UsageError(f"period {period} must be at least 1 and less than the {len(train)} training steps")
    scale = mae(train[:-period], np.where(np.isnan(train[:-period]), np.nan, train[period:]))
    error = mae(prediction, target)
    return error / scale if scale else (0.0 if error == 0 else math.inf)


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
