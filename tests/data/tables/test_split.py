from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.tables.sequences import Sequences, merge
from unrolled.data.tables.split import hold_out, hold_out_end, hold_out_last, without_history
from unrolled.errors import DataError, UsageError


def numbers(rows: int) -> Sequences:
    table = pa.table({"x": range(rows), "y": [row % 4 == 0 for row in range(rows)]})
    return Sequences(table, {"x": "number", "y": "category"})


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 5), st.booleans())
def test_every_sequence_is_on_one_side(rows: int, fraction: float, seed: int, stratified: bool) -> None:
    sequences = numbers(rows)
    train, rest = hold_out(sequences, fraction, seed, "y" if stratified else None)
    left, right = train.table["x"].to_pylist(), rest.table["x"].to_pylist()
    assert sorted(left + right) == list(range(rows))
    assert left == sorted(left) and right == sorted(right) and left and right
    if not stratified or rows * (1 - fraction) > 8:  # of few, a label's last row stays
        assert abs(len(right) - rows * fraction) <= 1
    assert rest.where("x").row(0) == right[0] + 1
    again = hold_out(sequences, fraction, seed, "y" if stratified else None)[1]
    assert again.table.equals(rest.table)


def test_the_choice_is_a_function_of_seed_and_row_count() -> None:
    chosen = [hold_out(numbers(100), 0.1, seed)[1].table["x"].to_pylist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    other = Sequences(pa.table({"x": [str(row) for row in range(100)]}), {"x": "category"})
    assert [int(x) for x in hold_out(other, 0.1, 0)[1].table["x"].to_pylist()] == chosen[0]


def test_labels_keep_their_shares() -> None:
    for seed in range(5):
        train, rest = hold_out(numbers(400), 0.1, seed, "y")
        assert sum(rest.table["y"].to_pylist()) == 10 and sum(train.table["y"].to_pylist()) == 90


def test_what_cannot_be_held_out() -> None:
    with pytest.raises(DataError, match="1 sequence cannot be split"):
        hold_out(numbers(1), 0.1, 0)
    for fraction in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="must be between 0 and 1"):
            hold_out(numbers(5), fraction, 0)
        with pytest.raises(UsageError, match="must be between 0 and 1"):
            hold_out_end(numbers(5), fraction)


LISTS = [
    pa.list_(pa.int64()),
    pa.large_list(pa.float64()),
    pa.list_(pa.string()),
    pa.large_list(pa.list_(pa.int64(), 2)),
]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=6),
    st.floats(0.05, 0.95),
    st.sampled_from(LISTS),
    st.integers(1, 4),
)
def test_lists_are_split_at_a_border(lengths: list[int], fraction: float, kind: pa.DataType, size: int) -> None:
    def value(step: int) -> object:
        if pa.types.is_nested(kind.value_type):
            return [step, step + 1]
        return str(step) if pa.types.is_string(kind.value_type) else step

    column = pa.array([[value(step) for step in range(length)] for length in lengths], kind)
    table = pa.table({"x": column, "y": range(len(lengths))})
    table = pa.concat_tables(table.slice(start, size) for start in range(0, len(lengths), size))
    sequences = Sequences(table, {"x": "number", "y": "number"})
    if max(lengths) < 2:
        with pytest.raises(DataError, match="no sequence has two steps"):
            hold_out_end(sequences, fraction)
        return
    train, rest = hold_out_end(sequences, fraction)
    train.table.validate(full=True)
    assert rest.table.equals(table) and rest.first is not None and train.first is None
    for row, length in enumerate(lengths):
        border = int(rest.first[row])
        assert train.table["x"][row].as_py() == table["x"][row].as_py()[:border]
        assert border == length if length < 2 else length - border == min(max(1, round(length * fraction)), length - 1)
    assert train.table["y"].to_pylist() == list(range(len(lengths)))
    later = without_history(rest)
    later.table.validate(full=True)
    assert later.first is None and later.table["y"].to_pylist() == list(range(len(lengths)))
    pairs = zip(train.table["x"].to_pylist(), later.table["x"].to_pylist(), strict=True)
    assert [head + tail for head, tail in pairs] == table["x"].to_pylist()


def test_lists_of_a_fixed_size_become_lists_of_any() -> None:
    table = pa.table({"x": pa.array([[1, 2, 3], [4, 5, 6]], pa.list_(pa.int64(), 3))})
    train, rest = hold_out_end(Sequences(table, {"x": "number"}), 0.3)
    assert train.table["x"].to_pylist() == [[1, 2], [4, 5]]
    assert without_history(rest).table["x"].to_pylist() == [[3], [6]]


def test_history_is_kept_where_there_is_no_border() -> None:
    sequences = Sequences(pa.table({"x": [[1, 2, 3]]}), {"x": "number"})
    assert without_history(sequences) is sequences


def test_a_second_border_lies_behind_the_first() -> None:
    sequences = Sequences(pa.table({"x": [list(range(20))]}), {"x": "number"}, first=np.array([10]))
    train, rest = hold_out_end(sequences, 0.2)
    assert rest.first is not None and rest.first.tolist() == [18]
    assert train.first is not None and train.first.tolist() == [10] and len(train.table["x"][0]) == 18


def test_the_names_of_channels_survive() -> None:
    table = pa.table({"a": [[1.0, 2.0, 3.0]], "b": [[4.0, 5.0, 6.0]]})
    joint = merge(Sequences(table, {"a": "number", "b": "number"}), ("a", "b"), "series")
    train, rest = hold_out_end(joint, 0.3)
    assert train.table.field("series").metadata == rest.table.field("series").metadata == {b"channels": b'["a", "b"]'}
    assert train.table["series"].to_pylist() == [[[1.0, 4.0], [2.0, 5.0]]]


def test_columns_without_a_kind_are_cut_where_they_can_be() -> None:
    table = pa.table({"x": [[1, 2, 3, 4]], "time": [[10, 20, 30, 40]], "tags": [["a"]]})
    train, _ = hold_out_end(Sequences(table, {"x": "number"}), 0.5)
    assert train.table.to_pydict() == {"x": [[1, 2]], "time": [[10, 20]], "tags": [["a"]]}


def test_lists_that_differ_in_length_cannot_be_split_by_time() -> None:
    table = pa.table({"x": [[1, 2]] * 20, "y": [[1, 2]] * 19 + [[1]]})
    with pytest.raises(DataError, match=r"row 20, column 'y': differs in length from 'x'"):
        hold_out_end(Sequences(table, {"x": "number", "y": "number"}), 0.5)
    with pytest.raises(DataError, match="has no column with a time axis"):
        hold_out_end(numbers(3), 0.5)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=12)), min_size=1, max_size=5),
    st.floats(0.05, 0.95),
    st.sampled_from([pa.string(), pa.large_string()]),
    st.integers(1, 3),
    st.booleans(),
)
def test_texts_are_cut_between_characters(
    texts: list[str | None], fraction: float, kind: pa.DataType, size: int, large: bool
) -> None:
    from unrolled.data.tables import split

    before, split._LARGE_TEXT = split._LARGE_TEXT, 1 if large else split._LARGE_TEXT
    array = pa.array(["pad", *texts], kind).slice(1)
    column = pa.chunked_array([array[place : place + size] for place in range(0, len(texts), size)])
    table = pa.table({"text": column, "label": ["a"] * len(texts)})
    sequences = Sequences(table, {"text": "tokens", "label": "category"})
    try:
        train, rest = hold_out_end(sequences, fraction)
    except DataError as error:
        assert "no text has two characters or more" in str(error) and all(len(text or "") < 2 for text in texts)
        return
    finally:
        split._LARGE_TEXT = before
    for part in (train, rest):
        part.table.validate(full=True)
        assert part.first is None and part.table["label"].to_pylist() == ["a"] * len(texts)
    pairs = zip(train.table["text"].to_pylist(), rest.table["text"].to_pylist(), strict=True)
    for (head, tail), text in zip(pairs, texts, strict=True):
        assert head + tail == (text or "")
        wanted = len((text or "").encode()) * fraction
        assert len((text or "").encode()) < 2 or abs(len(tail.encode()) - wanted) <= 4


def test_a_large_text_is_cut_without_a_copy() -> None:
    text = pa.array(["é" * 5_000_000], pa.large_string())
    before = pa.total_allocated_bytes()
    train, rest = hold_out_end(Sequences(pa.table({"text": text}), {"text": "tokens"}), 0.1)
    assert pa.total_allocated_bytes() - before < 10_000
    assert len(train.table["text"][0].as_py()) == 4_500_000 and len(rest.table["text"][0].as_py()) == 500_000


@pytest.mark.parametrize("seed", range(4))
def test_a_label_that_is_held_out_is_in_training_too(seed: int) -> None:
    """Of one label a row, and of lists of them: what training never saw, nothing could answer."""
    one = [f"rare {row}" if row % 10 == 0 else "often" for row in range(100)]
    several = [["often", label] for label in one]
    for column in (one, several, [*several[:-1], []], [*one[:-1], None]):
        _, rest = hold_out(Sequences(pa.table({"y": column}), {"y": "category"}), 0.2, seed, "y")
        assert len(rest) >= 10
        assert not any("rare" in str(cell) for cell in rest.table["y"].to_pylist())


def test_rare_values_are_held_out_as_often_as_common_ones() -> None:
    """500 rows of one label and 500 in pairs: of both about a tenth."""
    column = ["often"] * 500 + [f"pair {n // 2}" for n in range(500)]
    shares = []
    for seed in range(5):
        _, rest = hold_out(Sequences(pa.table({"y": column}), {"y": "category"}), 0.1, seed, "y")
        shares.append(sum(cell != "often" for cell in rest.table["y"].to_pylist()))
    assert 35 <= sum(shares) / 5 <= 65


def test_the_last_step_of_each_list_is_held_out() -> None:
    rows = [[1, 2, 3, 4], [5, 6], [7], [], [8, 9, 10]]
    sequences = Sequences(pa.table({"x": rows, "t": rows, "name": list("abcde")}), {"x": "category", "t": "elapsed"})
    train, test = hold_out_last(sequences)
    assert train.table["x"].to_pylist() == train.table["t"].to_pylist() == [[1, 2, 3], [5, 6], [7], [], [8, 9]]
    assert test.table["x"].to_pylist() == rows
    assert test.first is not None and test.first.tolist() == [3, 2, 1, 0, 2]
    train, valid = hold_out_last(train)
    assert train.table["x"].to_pylist() == [[1, 2], [5, 6], [7], [], [8, 9]]
    assert valid.first is not None and valid.first.tolist() == [2, 2, 1, 0, 2]
    with pytest.raises(DataError, match="no sequence has three steps or more, so none can be split by time"):
        hold_out_last(train)
    with pytest.raises(DataError, match="has no list column, so there are no last steps to hold out"):
        hold_out_last(Sequences(pa.table({"x": ["abc"]}), {"x": "tokens"}))


def test_a_list_with_other_steps_than_the_series_describes_both_parts_whole() -> None:
    table = pa.table({"tags": [["a"], ["b", "c"]], "x": [[1, 2, 3, 4], [5, 6, 7, 8]], "y": [[0, 0, 0, 0]] * 2})
    data = Sequences(table, {"tags": "category", "x": "number", "y": "number"})
    train, rest = hold_out_end(data, 0.5)
    assert train.table.to_pydict() == {"tags": [["a"], ["b", "c"]], "x": [[1, 2], [5, 6]], "y": [[0, 0]] * 2}
    assert rest.table.to_pydict() == table.to_pydict()
    assert without_history(rest).table.column("tags").to_pylist() == [["a"], ["b", "c"]]
    assert without_history(rest).table.column("x").to_pylist() == [[3, 4], [7, 8]]
