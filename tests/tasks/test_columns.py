from __future__ import annotations

import numpy as np
import pytest
from samples import sequences

from unrolled.errors import DataError
from unrolled.runs.question import recognised_task
from unrolled.tasks._columns import holds_repeats, is_name, join, other_columns, step_aligned
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


def test_of_several_lists_the_one_that_agrees_is_aligned() -> None:
    data = sequences(
        {"marks": [["p"], ["p", "q"]], "words": [["a", "b"], ["c"]], "tags": [["X", "Y"], ["X"]]},
        {"marks": "category", "words": "tokens", "tags": "category"},
    )
    assert step_aligned(data, "tags", ("marks", "words"))


def test_a_short_text_names_a_series_and_a_long_one_describes_it() -> None:
    data = sequences(
        {"shop": ["Old Town 1", "Harbour"], "about": ["a small shop that sells tea", "a large one at the sea"]},
        {"shop": "tokens", "about": "tokens"},
    )
    assert [is_name(data, name) for name in ("shop", "about")] == [True, False]
    assert is_name(data.take(np.array([0])), "about")  # of one series, it cannot say more than a name


def test_numeric_columns_are_joined_and_a_series_is_one_already() -> None:
    assert join(DATA, ("a", "b")) == (("a", "b"), "series")
    assert join(DATA, ("a",)) == (("a",), "a")
    assert join(DATA, ("v",)) == ((), "v")
    with pytest.raises(DataError, match="sample.csv, column 'text': is tokens, not a number for each step"):
        join(DATA, ("a", "text"))


def test_lists_with_repeats_are_no_sets() -> None:
    cells = {
        "sounds": [["h", "e", "l", "l", "o"], ["n", "o"]],
        "genres": [["drama", "war"], ["war"]],
        "numbers": [[1, 2, 1], [2]],
        "same in two rows": [[1], [1]],
        "heights": [[1.5, 1.5], [2.0]],
        "text": ["hello", "no"],
    }
    data = sequences(cells, dict.fromkeys(cells, "category"))
    found = [name for name in cells if holds_repeats(data.column(name))]
    assert found == ["sounds", "numbers"]


@pytest.mark.parametrize(
    ("target", "task"), [("sounds", "translate"), ("genres", "classify"), ("tags", "tag"), ("spoken", "transcribe")]
)
def test_a_list_is_a_set_a_tag_for_each_step_or_written(target: str, task: str) -> None:
    words = [["a", "b"], ["b", "c"], ["c"]]
    cells = {
        "sounds": [["h", "e", "l", "l"], ["n", "o", "n", "o"], ["n", "n", "o"]],
        "genres": [["drama", "war", "old"], ["war"], ["old", "war"]],
        "tags": [["x", "x"], ["x", "y"], ["y"]],
        "spoken": [["h", "e", "l", "l"], ["n", "o", "n", "o"], ["n", "n", "o"]],
    }
    wave = [[0.5] * 9, [0.25] * 8, [0.1] * 9]
    inputs = {"wave": wave} if target == "spoken" else {"words": words}
    kinds = {"wave": "number", "words": "tokens", target: "category"}
    table = {**inputs, target: cells[target]}
    data = sequences(table, {name: kinds[name] for name in table})
    assert recognised_task(Question(data, (target,), ()), "")[0] == task
