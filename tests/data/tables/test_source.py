from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from configs import data_config

from unrolled.data.tables.source import Reading, open_source
from unrolled.errors import DataError, UsageError


def opened(source: Any, **options: Any) -> Reading:
    return open_source(source, data_config(**options), None)


def test_of_two_reasons_the_later_one_counts() -> None:
    found = opened({"x": [1], "y": [2]}).without({"x": "is odd", "y": "is old"}).without({"x": "is even"})
    assert found.dropped == {"x": "is even", "y": "is old"}


def test_a_folder_has_no_first_line_to_name_columns_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="header only works with a file, but .* is a folder"):
        opened(tmp_path, header=("x",))


def test_whose_columns_are_named_is_a_table_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1,2\n3,4\n")
    assert opened(tmp_path / "u.data", header=("user", "item")).table.to_pydict() == {"user": [1, 3], "item": [2, 4]}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("none.csv", "none.csv: there is no such file"),
        ("none", "none: there is no such file or folder"),
        (
            "odd.xyz",
            "odd.xyz: its suffix '.xyz' does not name a known format, and its content does not show one (give format, such",
        ),
        ("a\0b.csv", "a\\0b.csv: cannot be read: embedded null byte"),
        ("empty", "empty: this folder has no files"),
        ("unknown", "unknown: none of its files has a known format (if all are of one, give format: abc, "),
        ("loop.csv", "loop.csv: cannot be read: Too many levels of symbolic links"),
    ],
)
def test_bad_paths(tmp_path: Path, source: str, expected: str) -> None:
    (tmp_path / "odd.xyz").write_text("x")
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    (tmp_path / "unknown").mkdir()
    (tmp_path / "unknown" / "x.xyz").write_text("x")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(DataError) as caught:
        opened(tmp_path / source)
    assert expected in str(caught.value)


def test_a_folder_of_texts_is_in_one_order(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", ".hidden.txt", ".git/x.txt", "LICENSE"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}")
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    found = opened(tmp_path)
    assert found.table["text"].to_pylist() == ["this is a.txt", "this is b/1.txt", "this is b/2.txt"]
    assert found.remarks == ("3 files are read as text; 1 other file is left out: LICENSE",)


def test_a_folder_of_tables(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,a\n")
    (tmp_path / "2.jsonl").write_text('{"x": 2.5, "y": "b"}\n')
    assert opened(tmp_path).table.to_pydict() == {"x": [1.0, 2.5], "y": ["a", "b"], "file": ["1", "2"]}


def test_a_file_of_another_form_than_most_is_left_out_and_listed(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,z\n1,a\n")  # the first, but of few
    (tmp_path / "2.csv").write_text("x,y\n1,\n")
    (tmp_path / "3.csv").write_text("x,y\nlow,b\n")  # texts where most have numbers
    for number in range(4, 8):
        (tmp_path / f"{number}.csv").write_text(f"x,y\n{number},b\n")
    (tmp_path / "8.csv").write_text("y,x\nb,8\n")
    (tmp_path / "9.csv").write_text("x,y\n0.5,b\n")
    found = opened(tmp_path)
    assert found.table.drop_columns("file").to_pydict() == {
        "x": [1, 4, 5, 6, 7, 0.5],
        "y": [None, "b", "b", "b", "b", "b"],
    }
    assert found.remarks == (
        f"3 of 9 files are left out: {tmp_path}/1.csv: does not have the same columns as 4.csv: y, z; "
        f"{tmp_path}/3.csv, column 'x': holds string, but most files have int64; "
        f"{tmp_path}/8.csv: does not have the same columns as 4.csv: their order",
    )


def test_where_no_form_has_most_files_one_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,a\n")
    (tmp_path / "2.csv").write_text("x,z\n1,a\n")
    with pytest.raises(DataError) as refused:
        opened(tmp_path)
    said = "its tables differ in their columns: 1.csv has x, y; 2.csv has x, z (give one of them)"
    assert str(refused.value) == f"{tmp_path}: {said}"


def test_what_is_wrong_in_a_folder_is_named_by_its_file(tmp_path: Path) -> None:
    for name, rows in (("a", "1\n2"), ("b", "3"), ("c", "4\n5\n6")):
        (tmp_path / f"{name}.csv").write_text(f"x\n{rows}\n")
    origin = opened(tmp_path).origin
    found = [DataError("is odd", file=origin, row=row) for row in range(1, 7)]
    assert [(Path(str(error.file)).name, error.row) for error in found] == [
        ("a.csv", 1),
        ("a.csv", 2),
        ("b.csv", 1),
        ("c.csv", 1),
        ("c.csv", 2),
        ("c.csv", 3),
    ]
    assert str(DataError("is odd", file=origin)) == f"{tmp_path}: is odd"


def test_columns_of_one_name_are_refused_in_a_folder_too(tmp_path: Path) -> None:
    twice = pa.table([[1], [2]], names=["x", "x"])
    for number in range(2):
        with pa.ipc.new_file(tmp_path / f"{number}.arrow", twice.schema) as file:
            file.write_table(twice)
    with pytest.raises(DataError, match=r"none of its 2 .* can be read; the first: .*0\.arrow, column 'x': appears t"):
        opened(tmp_path)


@pytest.mark.parametrize("data", [b"x,y\n1,2\n", b' \n{"x": 1, "y": 2}\n', b"\xef\xbb\xbfx\ty\n1\t2\n"])
def test_standard_input(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    found = opened("-")
    assert found.table.to_pydict() == {"x": [1], "y": [2]} and found.origin.name == "standard input"


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(DataError, match="standard input: is empty"):
        opened("-")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (pa.table({"x": []}), "your data: has no rows"),
        (pa.table({}), "your data: has no columns"),
        (pa.table([[1], [2]], names=["x", "x"]), "your data, column 'x': appears twice"),
    ],
)
def test_bad_tables_in_memory(source: Any, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        opened(source)


def test_standard_input_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x;y\n1;2\n")))
    assert opened("-", format="csv").table.to_pydict() == {"x": [1], "y": [2]}
    with pytest.raises(UsageError, match="standard input is a table, as csv or jsonl: format conll needs a file"):
        opened("-", format="conll")


def test_cells_in_memory_are_split_as_those_of_a_file() -> None:
    data = {"digits": ["3 1 2", "4"], "marks": ['["a", "b"]', "[]"], "text": ["3 of 4", "none"]}
    found = opened(data).table.to_pydict()
    assert found == {"digits": [[3, 1, 2], [4]], "marks": [["a", "b"], []], "text": ["3 of 4", "none"]}
    kept = opened(data, kinds={"digits": "tokens"}).table.to_pydict()
    assert kept["digits"] == ["3 1 2", "4"]


def test_files_that_only_describe_others_do_not_choose_the_reader(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,y\n1.5,a\n2.5,b\n")
    for name in ("dataset_info.json", "state.json"):
        (tmp_path / name).write_text('{"version": {"major": 1}}')
    found = opened(tmp_path)
    assert found.reader == "table"
    assert found.remarks == ("1 file is read as table; 2 other files are left out: dataset_info.json; state.json",)
    (tmp_path / "data.csv").unlink()
    (tmp_path / "dataset_info.json").unlink()
    (tmp_path / "state.json").write_text('[{"x": 1.5}, {"x": 2.5}]')
    assert opened(tmp_path).table["x"].to_pylist() == [1.5, 2.5]


def test_a_readme_is_not_an_example(tmp_path: Path) -> None:
    for name in ("pos/1.txt", "pos/2.txt", "neg/1.txt", "README.md", "LICENSE.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}")
    found = opened(tmp_path)
    assert found.table["label"].to_pylist() == ["neg", "pos", "pos"]
    assert found.remarks == ("3 files are read as text; 2 other files are left out: LICENSE.txt; README.md",)
    for name in ("pos/1.txt", "pos/2.txt", "neg/1.txt"):
        (tmp_path / name).unlink()
    assert len(opened(tmp_path).table) == 2
