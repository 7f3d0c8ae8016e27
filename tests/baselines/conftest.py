"""Builders of encoded splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from unrolled.batch import Continuous, Discrete
from unrolled.data.encoded import Encoded
from unrolled.data.examples import Examples, Form

Rows = Sequence[Sequence[int]]


def ragged(rows: Sequence[Sequence[float]], dtype: type = np.int64) -> Encoded:
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return Encoded(np.concatenate([np.zeros(0, dtype), *(np.asarray(row, dtype) for row in rows)]), offsets)


@pytest.fixture
def tokens() -> Callable[..., Examples]:
    """``tokens(rows, size, first=None)``: form ``next`` over ids."""

    def build(rows: Rows, size: int, first: Sequence[int] | None = None) -> Examples:
        column = ragged(rows)
        border = None if first is None else np.array(first)
        return Examples({"x": column}, {"x": Discrete(size)}, column, Discrete(size), "next", border)

    return build


@pytest.fixture
def tagged() -> Callable[..., Examples]:
    """``tagged(words, tags, size, classes)``: form ``aligned``."""

    def build(words: Rows, tags: Rows, size: int, classes: int) -> Examples:
        return Examples({"w": ragged(words)}, {"w": Discrete(size)}, ragged(tags), Discrete(classes), "aligned")

    return build


@pytest.fixture
def texts() -> Callable[..., Examples]:
    """``texts(rows, size, target, classes)``: form ``one`` (``set`` for lists of labels), or numbers if 0 classes."""

    def build(rows: Rows, size: int, target: Sequence[object], classes: int) -> Examples:
        several = bool(target) and isinstance(target[0], list)
        answer = ragged(target) if several else _column(target, classes)  # type: ignore[arg-type]
        spec = Discrete(classes, time=several) if classes else Continuous(1, time=False)
        form: Form = "set" if several else "one"
        return Examples({"x": ragged(rows)}, {"x": Discrete(size)}, answer, spec, form)

    return build


@pytest.fixture
def table() -> Callable[..., Examples]:
    """``table(numbers, categories, size, target, classes)``: form ``one`` without a time axis."""

    def build(
        numbers: np.ndarray, categories: Sequence[int], size: int, target: Sequence[object], classes: int
    ) -> Examples:
        inputs = {"n": Encoded(numbers.astype(np.float32), None), "c": Encoded(np.array(categories), None)}
        specs = {"n": Continuous(numbers.shape[1], time=False), "c": Discrete(size, time=False)}
        spec = Discrete(classes, time=False) if classes else Continuous(1, time=False)
        return Examples(inputs, specs, _column(target, classes), spec, "one")

    return build


@pytest.fixture
def series() -> Callable[..., Examples]:
    """``series(rows, horizon, first=None)``: rows of (T, W); form ``horizon``, or ``next`` if the horizon is 0."""

    def build(rows: Sequence[np.ndarray], horizon: int, first: Sequence[int] | None = None) -> Examples:
        offsets = np.cumsum([0, *(len(row) for row in rows)])
        column = Encoded(np.concatenate(rows).astype(np.float32), offsets)
        spec = Continuous(rows[0].shape[1])
        form: Form = "horizon" if horizon else "next"
        border = None if first is None else np.array(first)
        return Examples({"x": column}, {"x": spec}, column, spec, form, border, horizon)

    return build


def _column(target: Sequence[object], classes: int) -> Encoded:
    if classes:
        return Encoded(np.array(target, np.int64), None)
    return Encoded(np.array(target, np.float32)[:, None], None)
