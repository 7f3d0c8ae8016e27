"""Builders of encoded splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from unrolled.batch import Continuous, Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set

Rows = Sequence[Sequence[int]]


def ragged(rows: Sequence[Sequence[float]], dtype: type = np.int64) -> Encoded:
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return Encoded(np.concatenate([np.zeros(0, dtype), *(np.asarray(row, dtype) for row in rows)]), offsets)


@pytest.fixture
def tokens() -> Callable[..., Examples]:
    """``tokens(rows, size, first=None)``: the next id."""

    def build(rows: Rows, size: int, first: Sequence[int] | None = None) -> Examples:
        column = ragged(rows)
        border = None if first is None else np.array(first)
        return Examples({"x": column}, {"x": Discrete(size)}, column, Discrete(size), Next(), border)

    return build


@pytest.fixture
def tagged() -> Callable[..., Examples]:
    """``tagged(words, tags, size, classes)``: a label for each step."""

    def build(words: Rows, tags: Rows, size: int, classes: int) -> Examples:
        return Examples({"w": ragged(words)}, {"w": Discrete(size)}, ragged(tags), Discrete(classes), Aligned())

    return build


@pytest.fixture
def texts() -> Callable[..., Examples]:
    """``texts(rows, size, target, classes)``: one label a row (a set for lists of labels), or a number if 0 classes."""

    def build(rows: Rows, size: int, target: Sequence[object], classes: int) -> Examples:
        several = bool(target) and isinstance(target[0], list)
        answer = ragged(target) if several else _column(target, classes)  # type: ignore[arg-type]
        spec = Discrete(classes, time=several) if classes else Continuous(1, time=False)
        return Examples({"x": ragged(rows)}, {"x": Discrete(size)}, answer, spec, Set() if several else One())

    return build


@pytest.fixture
def table() -> Callable[..., Examples]:
    """``table(numbers, categories, size, target, classes)``: one answer a row, without a time axis."""

    def build(
        numbers: np.ndarray, categories: Sequence[int], size: int, target: Sequence[object], classes: int
    ) -> Examples:
        inputs = {"n": Encoded(numbers.astype(np.float32), None), "c": Encoded(np.array(categories), None)}
        specs = {"n": Continuous(numbers.shape[1], time=False), "c": Discrete(size, time=False)}
        spec = Discrete(classes, time=False) if classes else Continuous(1, time=False)
        return Examples(inputs, specs, _column(target, classes), spec, One())

    return build


@pytest.fixture
def series() -> Callable[..., Examples]:
    """``series(rows, horizon, first=None)``: rows of (T, W); a forecast, or the next step if the horizon is 0."""

    def build(rows: Sequence[np.ndarray], horizon: int, first: Sequence[int] | None = None) -> Examples:
        offsets = np.cumsum([0, *(len(row) for row in rows)])
        column = Encoded(np.concatenate(rows).astype(np.float32), offsets)
        spec = Continuous(rows[0].shape[1])
        border = None if first is None else np.array(first)
        return Examples({"x": column}, {"x": spec}, column, spec, Horizon(horizon) if horizon else Next(), border)

    return build


def _column(target: Sequence[object], classes: int) -> Encoded:
    if classes:
        return Encoded(np.array(target, np.int64), None)
    return Encoded(np.array(target, np.float32)[:, None], None)
