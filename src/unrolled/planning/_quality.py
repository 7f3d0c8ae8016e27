"""What may mislead a choice: rows that come twice, missing numbers, means that drift, few answers to validate on."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples

__all__ = ["drift", "duplicates", "missing", "noise"]

_READ = 1_000_000  # values that are looked at
_TAIL = 10  # the last tenth of a series stands against what is before it


def duplicates(train: Examples) -> float:
    """The share of rows whose inputs are those of an earlier row; 0 where rows are no questions by themselves.

    Of long data the first million values are looked at.
    """
    if not train.form.whole or not train.inputs:
        return 0.0
    steps = np.cumsum(np.maximum(1, sum(column.lengths() for column in train.inputs.values())))
    rows = int(np.searchsorted(steps, _READ, side="right")) or 1
    rows = min(rows, len(steps))
    codes = np.zeros(rows, np.uint64)
    for number, column in enumerate(train.inputs.values()):
        codes += _codes(column, rows, number)
    return (rows - len(np.unique(codes))) / rows if rows else 0.0


def missing(train: Examples) -> float:
    """The share of the numbers read at each step that are missing."""
    parts = [column.missing for column in train.inputs.values() if column.missing is not None]
    found = [part[:_READ] for part in parts]
    return max((float(part.mean()) for part in found if part.size), default=0.0)


def drift(train: Examples) -> float:
    """How far the mean of the last tenth of a series lies from the mean before it, in standard deviations.

    The largest over the channels; over the series its mean. 0 where nothing is forecast.
    """
    if not train.horizon or train.target is None:
        return 0.0
    values, offsets = train.target.values[-_READ:], train.target.offsets
    assert offsets is not None
    offsets = np.unique(np.maximum(offsets - (len(train.target.values) - len(values)), 0))
    moved = []
    for begin, end in pairwise(offsets):
        tail = (end - begin) // _TAIL
        if tail:
            moved.append(_moved(values[begin : end - tail], values[end - tail : end]))
    return float(np.mean(moved, 0).max(initial=0.0)) if moved else 0.0


def noise(answers: int, share: float, horizon: int) -> float:
    r"""What chance does to a score on the validation answers.

    .. math:: \sqrt{p (1 - p) / n}, \qquad 1 / \sqrt n

    Args:
        answers: how many there are; windows of a forecast overlap, so that a horizon of them counts as one.
        share: p, of the commonest label, which gives the standard error of an accuracy; 0 without labels, which
            gives that of a mean error, as a share of it, if errors vary as much as they are large.
        horizon: steps of a forecast; 0 for other answers.

    Example:
        >>> round(noise(400, 0.5, 0), 3), round(noise(960, 0.0, 96), 3)
        (0.025, 0.316)
    """
    if not answers:
        return 0.0
    return math.sqrt(share * (1 - share) / answers) if share else 1 / math.sqrt(max(1.0, answers / max(1, horizon)))


def _codes(column: Encoded, rows: int, seed: int) -> np.ndarray:
    """(rows,) uint64: a sum over the values of each row that tells different rows apart; it wraps, and is exact."""
    offsets = np.arange(rows + 1) if column.offsets is None else column.offsets[: rows + 1]
    values = column.values[: offsets[-1]]
    bits = values.astype(np.float32).view(np.uint32) if values.dtype.kind == "f" else values
    bits = bits.reshape(len(bits), -1).astype(np.uint64) + np.uint64(1)
    lengths = np.diff(offsets)
    at = np.arange(len(bits)) - np.repeat(offsets[:-1], lengths)
    factors = np.random.default_rng(seed).integers(1, 2**63, (int(lengths.max(initial=0)), bits.shape[1]), np.uint64)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum((bits * factors[at]).sum(1, dtype=np.uint64))])
    return sums[offsets[1:]] - sums[offsets[:-1]]


def _moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(channels,) by how many standard deviations of ``before`` the means differ; 0 for what never changes."""
    mean = _mean(before)
    deviation = np.sqrt(_mean((before - mean) ** 2))
    return np.where(deviation > 0, np.abs(_mean(after) - mean) / np.maximum(deviation, np.finfo(np.float32).tiny), 0.0)


def _mean(values: np.ndarray) -> np.ndarray:
    """(channels,) the mean of the known values."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(0, dtype=np.float64) / np.maximum(1, known.sum(0))
