from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.encodings import _moments, _text_statistics
from unrolled.data.encodings._moments import Moments
from unrolled.data.encodings.encoding import ENCODINGS, Encoding, Role, Where
from unrolled.data.encodings.facets import Streamed
from unrolled.errors import DataError

WHERE = Where("data.csv", "x")
RANDOM = np.random.default_rng(0)
NUMBERS = [None if n % 9 == 0 else float(x) for n, x in enumerate(RANDOM.normal(5, 2, 60))]
TEXTS = ["Wie geht's?", "the day, the food", None, "", "a good day", "Größe 12", "the e\u0301nd of it", "so so so"] * 8
CODES = [f"pc {n} a {n * 7919} 21171" for n in range(60)]
NAMES = ["".join(RANDOM.choice(list("aeioulmnrst"), 6)) for _ in range(80)]
READ = Role(read=True, tokens="words or bpe")

COLUMNS: dict[str, tuple[str, list[Any], dict[str, Any], Role]] = {
    "number": ("number", NUMBERS, {}, Role()),
    "number, target": ("number", NUMBERS, {}, Role(closed=True)),
    "number, constant": ("number", [2.5] * 9, {}, Role()),
    "number, far apart": ("number", [0.0] * 4 + [1e-300, 1e300, -1e300, 3.0], {}, Role()),
    "number, lists": ("number", [[1.0, 2.0], [], [None, 4.0]] * 6, {}, Role()),
    "category": ("category", ["b", "a", None, "c"] * 5, {}, Role()),
    "category, target": ("category", [3, 1, 2] * 5, {}, Role(closed=True)),
    "category, lists": ("category", [["x"], [], ["y", "x"]] * 5, {}, Role()),
    "series": ("series", [[[1.0, 5.0], [2.5, None]], [], [None, [4.0, 1.0]]] * 6, {}, Role()),
    "series, target": ("series", [None, [None], [[1.0, 5.0], [2.5, None]]] * 6, {}, Role(closed=True)),
    "series, binary": ("series", [[[1, 0]], [], [[0, 0], [1, 1]]] * 6, {}, Role(channels=("a", "b"))),
    "elapsed": ("elapsed", [[1.0, 5.0, None, 7.5], [], [3.0]] * 6, {}, Role()),
    "elapsed, impute": ("elapsed", [[1.0, float("nan"), 7.5], [], [3.0]] * 6, {"missing": "impute"}, Role()),
    "calendar": ("calendar", [date(2024, 1, 1 + n) for n in range(9)], {}, Role()),
    "calendar, lists": ("calendar", [[date(2024, 1, 1 + n)] * 2 for n in range(9)], {}, Role()),
    "items": ("tokens", [["b", "a"], [], None, ["a", None]] * 6, {}, READ),
    "items, written": ("tokens", [["b", "e\u0301"], ["a"]] * 6, {"vocabulary": 8}, Role(framed=True, read=False)),
    "items, two forms": ("tokens", [["\u00e9", "e\u0301"], ["a"]] * 6, {}, Role(framed=True, read=False)),
    "items, whole numbers": ("tokens", [[7, 12, 7], [], [3]] * 6, {"min_count": 12}, Role(read=False)),
    "characters": ("tokens", TEXTS, {"tokens": "characters"}, READ),
    "words": ("tokens", TEXTS, {"tokens": "words", "vocabulary": 8}, READ),
    "bytes": ("tokens", TEXTS, {"tokens": "bytes"}, READ),
    "bpe": ("tokens", TEXTS, {"tokens": "bpe", "vocabulary": 270}, READ),
    "words or bpe": ("tokens", TEXTS, {}, READ),
    "codes": ("tokens", CODES, {}, READ),
    "names": ("tokens", NAMES, {}, READ),
    "another form": ("tokens", TEXTS, {"tokens": "words", "normalise": "nfd"}, READ),
}


def in_parts(kind: str, column: pa.ChunkedArray, options: Any, role: Role, rows: int) -> tuple[Encoding, int]:
    """The encoding that is collected from parts of so many rows, and how often it went over them."""
    member = ENCODINGS.get(kind)
    assert isinstance(member, Streamed)
    collecting, passes = member.statistics(options, role, WHERE, time=pa.types.is_list(column.type)), 0
    while True:
        assert collecting is not None
        passes += 1
        for at in range(0, len(column), rows):
            collecting.add(column.slice(at, rows), WHERE)
        made = collecting.fitted()
        if not hasattr(made, "fitted"):
            return made, passes
        collecting = made


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_collected_in_parts_is_what_is_fitted_at_once(name: str, rows: int) -> None:
    kind, values, given_, role = COLUMNS[name]
    options = ENCODINGS.get(kind).Options(**given_)
    column = pa.chunked_array([pa.array(values)])
    found, _ = in_parts(kind, column, options, role, rows)
    assert found.to_config() == ENCODINGS.get(kind).fit(column, options, role, WHERE).to_config()


def test_a_vocabulary_that_is_too_large_takes_another_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text_statistics, "_MANY_WORDS", 3)
    kind, values, given_, role = COLUMNS["words or bpe"]
    options = ENCODINGS.get(kind).Options(**given_)
    column = pa.chunked_array([pa.array(values)])
    found, passes = in_parts(kind, column, options, role, 7)
    assert passes == 2
    assert found.to_config()["level"] == "bpe"
    assert found.to_config() == ENCODINGS.get(kind).fit(column, options, role, WHERE).to_config()


def test_an_error_in_a_part_names_its_row() -> None:
    found = ENCODINGS.get("number").statistics(ENCODINGS.get("number").Options(), Role(), WHERE, time=False)
    found.add(pa.chunked_array([[1.0]]), WHERE)
    with pytest.raises(DataError, match="data.csv, row 9, column 'x': the value is NaN"):
        found.add(pa.chunked_array([[float("nan")]]), Where("data.csv", "x", np.array([8])))


def test_the_moments_of_many_values_do_not_depend_on_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_moments, "_BLOCK", 64)
    values = RANDOM.normal(1e6, 1e-3, 1_000)
    found = set()
    for size in (1, 63, 64, 65, 1_000):
        moments = Moments()
        for at in range(0, len(values), size):
            moments.add(values[at : at + size])
        found.add(moments.mean_and_std())
    ((mean, std),) = found
    assert mean == pytest.approx(values.mean(), rel=1e-15)
    assert std == pytest.approx(values.std(), rel=1e-9)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
def test_few_values_have_the_moments_that_numpy_gives(values: list[float]) -> None:
    moments, array = Moments(), np.array(values)
    moments.add(array)
    mean, std = moments.mean_and_std()
    unit = float(np.abs(array).max()) or 1.0
    assert mean == pytest.approx(float((array / unit).mean()) * unit, rel=1e-9, abs=1e-12 * unit)
    if array.min() < array.max():
        assert std == 1.0 or std == pytest.approx(float((array / unit).std()) * unit, rel=1e-6)
