from __future__ import annotations

import pytest
from samples import sequences

from unrolled.errors import DataError
from unrolled.tasks._columns import join, other_columns, step_aligned
from unrolled.tasks.task import Question

DATA = sequences(
    {"a": [[1.0, 2.0], None], "b": [[1, 2], []], "c": [[1], []], "v": [[[1.0, 2.0]], []], "n": [1, 2], "text": ["xy", "z"]},
    {"a": "number", "b": "number", "c": "number", "v": "series", "n": "number", "text": "tokens"},
)  # fmt: skip


def test_the_inputs_are_what_was_named_or_all_the_others() -> None:
    assert other_columns(Question(DATA, ("n",), ())) == ("a", "b", "c", "v", "text")
    assert other_columns(Question(DATA, ("n",), ("c", "a"))) == ("c", "a")
    with pytest.raises(DataError, match=r"column 'd': there is no such column \(Known: a, b, c, n"):
        other_columns(Question(DATA, ("n",), ("d",)))


def test_columns_are_aligned_step_by_step() -> None:
    assert step_aligned(DATA, "a", ("n", "b"))
    assert not step_aligned(DATA, "a", ("c",))
    assert not step_aligned(DATA, "a", ("n", "text"))
    assert not step_aligned(DATA, "n", ("a",))


def test_numeric_columns_are_joined_and_a_series_is_one_already() -> None:
    assert join(DATA, ("a", "b")) == (("a", "b"), "series")
    assert join(DATA, ("a",)) == (("a",), "a")
    assert join(DATA, ("v",)) == ((), "v")
    with pytest.raises(DataError, match="sample.csv, column 'text': is tokens, not a number for each step"):
        join(DATA, ("a", "text"))
