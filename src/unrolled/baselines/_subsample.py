"""Portions of splits that are too long for a baseline, as views of the values where possible."""

from __future__ import annotations

import numpy as np

from unrolled.batch import Continuous, Spec
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import cut_steps, take_rows

__all__ = ["for_fitting", "for_scoring"]

_HISTORY = 64  # steps of context to keep before the first scored step; forecasts keep all


def for_fitting(train: Examples, cells: int) -> Examples:
    """At most about ``cells`` numbers of ``train``: the last steps, or evenly spaced rows if whole rows are predicted.

    Returns ``train`` itself if it is small enough.

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.data.forms.next import Next
        >>> tokens = Encoded(np.arange(10), np.array([0, 4, 10]))
        >>> long = Examples({"x": tokens}, {"x": Discrete(10)}, tokens, Discrete(10), Next())
        >>> for_fitting(long, 8).target.values
        array([2, 3, 4, 5, 6, 7, 8, 9])
    """
    lengths, limit = train.steps(), _steps(train, cells)
    if lengths.sum() <= limit:
        return train
    if train.form.whole:
        return _spaced_rows(train, limit)
    after = np.cumsum(lengths[::-1])[::-1] - lengths  # the steps of all later rows
    return cut_steps(train, lengths - np.clip(limit - after, 0, lengths), lengths)


def for_scoring(part: Examples, cells: int) -> Examples:
    """At most about ``cells`` numbers of ``part`` to predict: the first steps, or evenly spaced rows.

    Steps before ``first`` are history and do not count; forecasts count once for each step of the horizon.
    Returns ``part`` itself if it is small enough.
    """
    lengths, limit = part.steps(), _steps(part, cells) // max(1, part.horizon)
    first = np.zeros_like(lengths) if part.first is None else np.minimum(part.first, lengths)
    asked = lengths - first
    begins = np.zeros_like(first) if part.horizon else np.maximum(first - _HISTORY, 0)
    if asked.sum() <= limit and not (begins > 0).any():
        return part
    if part.form.whole:
        return _spaced_rows(part, limit)
    before = np.cumsum(asked) - asked  # the questions of all earlier rows
    ends = np.where(before < limit, first + np.clip(limit - before, 0, asked), begins)
    return cut_steps(part, begins, ends)


def _steps(examples: Examples, cells: int) -> int:
    """The number of steps that hold ``cells`` numbers."""
    return max(1, cells // sum(_width(spec) for spec in examples.specs.values()))


def _width(spec: Spec) -> int:
    return spec.width if isinstance(spec, Continuous) else 1


def _spaced_rows(examples: Examples, limit: int) -> Examples:
    total = int(examples.steps().sum())
    rows = np.arange(0, len(examples.steps()), -(-total // limit))
    return take_rows(examples, rows)
