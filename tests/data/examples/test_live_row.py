"""Live rows: what is pushed step by step is encoded as the rows of a file are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from samples import sequences

from unrolled.data.examples.live_row import LiveRow
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.horizon import Horizon
from unrolled.data.forms.next import Next
from unrolled.data.forms.one import One
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError

SERIES = sequences({"a": [[1.0, 3.0], [5.0]], "b": [[0.0, 2.0], [4.0]]}, {"a": "number", "b": "number"})
JOINED = Roles(("series",), "series", Horizon(1), joined=("a", "b"))


def live(data: Sequences, roles: Roles, tokens: Any = None) -> LiveRow:
    return LiveRow(Preprocessor.fit(data, roles, Preparation(tokens=tokens or "characters")))


def texts(rows: list[str], labels: list[str] | None = None) -> Sequences:
    columns: dict[str, Any] = {"text": rows} | ({"label": labels} if labels else {})
    return sequences(columns, {"text": "tokens"} | ({"label": "category"} if labels else {}))


def steps_of(row: LiveRow, value: Any) -> list[dict[str, Any]]:
    return [{name: array.tolist() for name, array in step.items()} for step in row.encode(value)[0]]


def test_a_live_step_is_what_the_same_step_of_a_file_is() -> None:
    row = live(SERIES, JOINED)
    whole = row.coder.encode(SERIES).inputs["series"].values
    for pushed in ({"a": 3.0, "b": 2.0}, [3.0, 2.0], {"series": [3.0, 2.0]}):
        (step,), _ = row.encode(pushed)
        assert np.array_equal(step["series"], whole[1])


def test_a_live_text_is_as_many_steps_as_it_has_tokens() -> None:
    row = live(texts(["ab", "cb"]), Roles(("text",), "text", Next()), "characters")
    assert steps_of(row, "abz") == [{"text": 3}, {"text": 4}, {"text": 0}]
    assert steps_of(row, {"text": "c"}) == [{"text": 5}]
    with pytest.raises(DataError, match="the stream, column 'text': is empty, so it has no steps"):
        row.encode("")


def test_beside_other_columns_with_steps_a_live_text_is_one_token() -> None:
    data = sequences({"text": ["ab"], "wave": [[1.0, 2.0]]}, {"text": "tokens", "wave": "number"})
    row = live(data, Roles(("text", "wave"), "text", Next()), "characters")
    assert [sorted(step) for step in steps_of(row, {"text": "b", "wave": 2.0})] == [["text", "wave"]]
    with pytest.raises(DataError, match="'ab' has 2 steps, but the other columns have one"):
        row.encode({"text": "ab", "wave": 1.0})


def test_a_column_without_steps_is_repeated_at_each_step_of_a_live_text() -> None:
    data = sequences({"text": ["ab"], "age": [3.0], "y": [1.0]}, {"text": "tokens", "age": "number", "y": "number"})
    row = live(data, Roles(("text", "age"), "y", One()), "characters")
    assert steps_of(row, {"text": "b", "age": 3.0}) == [{"text": 4, "age": [0.0]}]
    assert steps_of(row, {"text": "ab", "age": 3.0}) == [{"text": 3, "age": [0.0]}, {"text": 4, "age": [0.0]}]
    with pytest.raises(
        DataError, match="^the model reads the column 'age', which this step of the stream lacks; it has: text$"
    ):
        row.encode({"text": "a"})
    with pytest.raises(DataError, match=r"a step must be \{column: value\} with the columns text, age"):
        row.encode("a")


def test_a_stream_of_texts_opens_as_the_training_texts_did() -> None:
    continued = live(texts(["ab"]), Roles(("text",), "text", Next()), "characters")
    assert [{name: int(i) for name, i in step.items()} for step in continued.opening()] == [{"text": 1}]
    labelled = live(texts(["ab", "b"], ["x", "y"]), Roles(("text",), "label", One()), "characters")
    assert labelled.opening() == []
    assert live(SERIES, JOINED).opening() == []


def test_a_live_set_is_a_list_or_a_text_with_the_separator_of_its_file() -> None:
    columns = {"text": ["so it goes on and on", "no"], "tags": [["p", "q"], ["r"]], "y": [1.0, 2.0]}
    data = sequences(columns, {"text": "tokens", "tags": "category", "y": "number"})
    coder = live(data, Roles(("text", "tags"), "y", One()), "words").coder
    row = LiveRow(coder, sets={"tags": "|"})
    wanted = coder.encode(data.take(np.array([0]))).inputs["tags"].values
    for cell in ("p|q", "p | q", ["p", "q"]):
        steps, _ = row.encode({"text": "so", "tags": cell})
        assert np.array_equal(steps[0]["tags"], wanted)
