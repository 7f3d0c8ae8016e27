from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.tables.grouping import group_steps
from unrolled.errors import DataError, Origin


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=20), st.integers(1, 5))
def test_it_is_what_a_loop_would_do(steps: list[tuple[str, int]], size: int) -> None:
    """Groups in the order of their first steps; a stable sort within; whatever the chunks of the table."""
    names, times = zip(*steps, strict=True)
    table = pa.table({"id": list(names), "t": list(times), "x": range(len(steps))})
    table = pa.concat_tables(table.slice(start, size) for start in range(0, len(steps), size))
    found = group_steps(table, "id", "t", timed={"x": True}).to_pydict()
    groups: dict[str, list[tuple[int, int]]] = {}
    for place, (name, time) in enumerate(steps):
        groups.setdefault(name, []).append((time, place))
    assert found["id"] == list(groups)
    assert found["t"] == [[time for time, _ in sorted(group)] for group in groups.values()]
    assert found["x"] == [[place for _, place in sorted(group)] for group in groups.values()]


def test_values_that_do_not_change_are_one_a_sequence() -> None:
    table = pa.table({"id": [1, 1, 2], "label": ["a", "a", "b"], "none": [None, None, 1.0], "x": [None, 1.0, 1.0]})
    found = group_steps(table, "id").to_pydict()
    assert found == {"id": [1, 2], "label": ["a", "b"], "none": [None, 1.0], "x": [[None, 1.0], [1.0]]}


def test_one_sequence_keeps_what_does_not_change() -> None:
    assert group_steps(pa.table({"x": [0, 0], "y": [1, 2]})).to_pydict() == {"x": [[0, 0]], "y": [[1, 2]]}


def test_later_data_takes_the_form_that_the_model_knows() -> None:
    table = pa.table({"id": [1, 1], "x": [0, 0], "y": [1, 1], "new": [1, 2]})
    found = group_steps(table, "id", timed={"x": True, "y": False}).to_pydict()
    assert found == {"id": [1], "x": [[0, 0]], "y": [1], "new": [[1, 2]]}
    table = pa.table({"id": [1, 2, 1], "t": [2, 0, 1], "y": [1, 1, 2]})
    with pytest.raises(DataError, match=r"t\.csv, row 1, column 'y': changes within a sequence"):
        group_steps(table, "id", "t", Origin("t.csv"), timed={"y": False})


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ([10, 9, 2], [2, 1, 0]),
        ([0.5, -1.0, 1e300], [1, 0, 2]),
        ([datetime.date(2020, 2, 1), datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)], [1, 0, 2]),
        ([True, False, True], [1, 0, 2]),
        ([1, 1, 1], [0, 1, 2]),
        (pa.array([7, 3, 7]).dictionary_encode(), [1, 0, 2]),
    ],
)
def test_steps_are_sorted(order: list[object], wanted: list[int]) -> None:
    assert group_steps(pa.table({"t": order, "x": [0, 1, 2]}), order="t")["x"].to_pylist() == [wanted]


def test_series_of_lists() -> None:
    table = pa.table({"id": ["a", "b", "a"], "x": [[1, 2], [3, 4], [5, 6]]})
    assert group_steps(table, "id")["x"].to_pylist() == [[[1, 2], [5, 6]], [[3, 4]]]


@pytest.mark.parametrize(
    ("columns", "by", "order", "expected"),
    [
        ({"id": [1, None]}, "id", None, "t.csv, row 2, column 'id': is empty, but it must say where the step belongs"),
        ({"id": [1, 2], "t": [1.0, float("nan")]}, "id", "t", "t.csv, row 2, column 't': is empty"),
        ({"id": [1]}, "ids", None, "t.csv, column 'ids': there is no such column (Did you mean 'id'?"),
        ({"id": [1]}, None, "tt", "t.csv, column 'tt': there is no such column"),
        ({"id": [[1]]}, "id", None, "t.csv, column 'id': holds list<item: int64>, which cannot name or order"),
        ({"t": ["x", "31/12/2020"]}, None, "t", "row 1, column 't': 'x' is a text, and texts cannot order the steps"),
    ],
)
def test_bad_keys(columns: dict[str, list[object]], by: str | None, order: str | None, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        group_steps(pa.table(columns), by, order, Origin("t.csv"))
    assert expected in str(caught.value)


def test_a_million_steps_take_no_loop() -> None:
    rng = np.random.default_rng(0)
    names, times = rng.integers(0, 1000, 1_000_000), rng.permutation(1_000_000)
    found = group_steps(pa.table({"id": names, "t": times, "x": times}), "id", "t")
    assert all(np.all(np.diff(cell.values.to_numpy()) > 0) for cell in found["x"].chunk(0)[:50])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), min_size=1, max_size=20), st.integers(0, 9))
def test_a_gap_ends_a_sequence_as_in_a_loop(steps: list[tuple[str, int]], gap: int) -> None:
    names, times = zip(*steps, strict=True)
    table = pa.table({"id": list(names), "t": list(times), "x": range(len(steps))})
    found = group_steps(table, "id", "t", timed={"x": True}, gap=gap).to_pydict()
    sessions: list[tuple[str, list[int]]] = []
    for name in dict.fromkeys(names):
        last = None
        for time in sorted(t for n, t in steps if n == name):
            if last is None or time - last > gap:
                sessions.append((name, []))
            sessions[-1][1].append(time)
            last = time
    assert list(zip(found["id"], found["t"], strict=True)) == sessions


def test_a_gap_between_times_is_in_seconds() -> None:
    start = datetime.datetime(2026, 1, 1)
    times = [start + datetime.timedelta(minutes=minutes) for minutes in (0, 30, 61, 62)]
    table = pa.table({"t": times, "x": [1, 2, 3, 4]})
    assert group_steps(table, order="t", gap=1800.0)["x"].to_pylist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match="t.csv, row 1, column 't': 'x' is a text, and texts cannot order"):
        group_steps(pa.table({"t": ["x", "2026-01-01"]}), None, "t", Origin("t.csv"), gap=1.0)
