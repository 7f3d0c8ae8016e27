"""Whether texts, or lists of texts or integers, look like labels from a fixed set."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import is_text
from unrolled.data.encodings.encoding import has_time

__all__ = ["looks_like_labels", "repeats"]

_LONGEST = 40  # mean characters of a label; "Very satisfied with the service" has 31
_FEW = 50  # most distinct labels in a column where each occurs only about twice
_FEW_STEPS = 100  # most distinct texts among the items of lists; tag sets have 10 to 50
_FEW_INTEGERS = 1000  # most distinct integers among the items of lists: pitches, pages or grades


def looks_like_labels(array: pa.ChunkedArray) -> bool:
    """Whether the values repeat often enough to be labels from a fixed set.

    One text per row: short texts, with at most 50 distinct ones that occur twice on average, or any number that occur
    20 times. One text per step: at most 100 distinct ones that occur three times on average. One integer per step: at
    most 1000 distinct ones, none negative, that occur 20 times on average; with fewer repetitions, the integers are
    more likely a measured count.
    """
    if is_text(array.type):
        return _short(array) and _few_texts(array)
    if not has_time(array.type):
        return False
    steps = pc.list_flatten(array)
    if is_text(steps.type):
        distinct = _distinct(steps)
        return distinct <= _FEW_STEPS and _count(steps) >= 3 * distinct
    if pa.types.is_integer(steps.type) and _count(steps):
        distinct = _distinct(steps)
        return distinct <= _FEW_INTEGERS and _count(steps) >= 20 * distinct and pc.min(steps).as_py() >= 0
    return False


def repeats(array: pa.ChunkedArray) -> bool:
    """Whether each value occurs twice on average."""
    return 2 * _distinct(array) <= len(array)


def _short(texts: pa.ChunkedArray) -> bool:
    return (pc.mean(pc.binary_length(texts)).as_py() or 0) <= _LONGEST  # cheap, so it is checked first


def _few_texts(texts: pa.ChunkedArray) -> bool:
    distinct, count = _distinct(texts), _count(texts)
    return distinct <= max(_FEW, count / 20) and distinct <= count / 2


def _distinct(values: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(values, mode="only_valid").as_py())


def _count(values: pa.ChunkedArray) -> int:
    return len(values) - values.null_count
