from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.json import read_json
from unrolled.data.tables.read import read
from unrolled.errors import DataError

ROWS = {"x": [1, 2], "y": ["a", None]}


def found(text: str, path: Path) -> dict[str, Any]:
    (path / "a.json").write_text(text, "utf-8")
    return read_json(path / "a.json", DataConfig()).to_pydict()


@pytest.mark.parametrize(
    "text",
    [
        '[{"x": 1, "y": "a"}, {"x": 2, "y": null}]',
        '\ufeff[\n {"x": 1, "y": "a"},\n {"x": 2}\n]',
        '{"x": [1, 2], "y": ["a", null]}',
        '{"x": {"0": 1, "1": 2}, "y": {"0": "a", "1": null}}',  # pandas' columns
        '{"first": {"x": 1, "y": "a"}, "second": {"x": 2, "y": null}}',
        '{"columns": ["x", "y"], "index": [0, 1], "data": [[1, "a"], [2, null]]}',  # pandas' split
        '{"version": "1.0", "items": [{"x": 1, "y": "a"}, {"x": 2, "y": null}]}',
        '{"x": 1, "y": "a"}\n{"x": 2, "y": null}\n',  # JSON Lines
        '[{"x": 1, "y": "a"}, {"x": 2, "y": NaN}]',  # as Python writes a missing number
    ],
)
def test_the_forms_of_a_table(text: str, tmp_path: Path) -> None:
    assert found(text, tmp_path) == ROWS


def test_other_arrays(tmp_path: Path) -> None:
    assert found('["so", "it goes"]', tmp_path) == {"text": ["so", "it goes"]}
    assert found("[[1, 2], [3]]", tmp_path) == {"sequence": [[1, 2], [3]]}
    assert found('[{"a": {"b": 1, "c": "x"}, "d": [1, 2]}]', tmp_path) == {"a.b": [1], "a.c": ["x"], "d": [[1, 2]]}
    assert found('{"x": 1}', tmp_path) == {"x": [1]}


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"license": "CC", "rows": [{"x": 1.5}, {"x": 2.5}]}')
    assert read(tmp_path / "a.json").remarks == ("the rows are those under 'rows'; what is under license is left out",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"x": 1}, {"x": 2]', "is not JSON: Expecting ',' delimiter, line 1, column 19"),
        ("12", "holds a number, but must hold an array of objects"),
        ("[]", "has no rows"),
        ('[{"x": 1}, 3]', "row 2: is a number, but must be an object"),
        ('[{"x": 1}, {"x": "two"}]', "row 2, column 'x': has the type string, but number in earlier lines"),
        ('{"x": [1, 2], "y": [1]}', "column 'y': has 1 row, but 'x' has 2"),
        ('{"columns": ["x"], "data": [[1, 2]]}', "row 1: must be an array of 1 cell, as 'columns' says"),
        ('{"a": {"b": 1}, "c": 2}', "is an object with 'a', 'c', which is not a table"),
        ('[{"x": Infinity}]', "holds Infinity, which is not a number"),
        ('[{"x": 1e999}]', "holds a number beyond 1.8e308"),
        ("[" * 100_000, "is nested too deep"),
        ('[{"x": "\\ud800"}]', "holds half of a surrogate pair"),
    ],
)
def test_what_is_no_table_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        found(text, tmp_path)
    assert expected in str(caught.value) and str(caught.value).startswith(str(tmp_path / "a.json"))
