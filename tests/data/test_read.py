from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from unrolled.config import DataConfig
from unrolled.data.read import READERS, read, suffixes
from unrolled.errors import DataError, UsageError

CSV = "id,t,x,label,day\na,1,0.5,p,2020-01-01\nb,1,0.1,q,2020-01-01\na,2,0.7,p,2020-01-02\n"


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    path = tmp_path / "steps.csv"
    path.write_text(CSV)
    return path


def test_a_file_with_a_row_a_sequence(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,works,day,none\nthe food was good,true,2020-01-01,\nit was not good,false,2020-01-02,\n")
    found = read(path)
    assert found.kinds == {"text": "tokens", "works": "category"} and found.origin == str(path)
    assert found.notes == (
        "'day' is left out: it holds dates or times: name it with --order to sort by it, or call it a calendar with --kind",
        "'none' is left out: it holds no value at all",
    )
    assert found.table.column_names == ["text", "works", "day", "none"]
    assert read(str(path)).kinds == found.kinds


def test_steps_are_grouped(steps: Path) -> None:
    found = read(steps, DataConfig(by="id", order="t", ignore=("day",)))
    assert found.table["x"].to_pylist() == [[0.5, 0.7], [0.1]] and found.table["label"].to_pylist() == ["p", "q"]
    assert list(found.kinds) == ["x", "label"]
    assert found.dropped == {"day": "is ignored, as asked", "id": "names the sequence", "t": "orders the steps"}
    assert len(read(steps, DataConfig(order="day"))) == 1 == len(read(steps, steps=True))
    later = read(steps, DataConfig(by="id"), timed={"label": True})
    assert later.table["label"].to_pylist() == [["p", "p"], ["q"]]


def test_configuration_is_checked(steps: Path) -> None:
    for config, expected in [
        (DataConfig(by="idd"), "column 'idd': there is no such column (Did you mean 'id'?"),
        (DataConfig(ignore=("lable",)), "column 'lable': there is no such column to ignore (Did you mean 'label'?"),
        (DataConfig(kinds={"lable": "category"}), "column 'lable': there is no such column"),
        (DataConfig(ignore=("id", "t", "x", "label")), "no column is left to learn from: 'id' is ignored, as asked; "),
    ]:
        with pytest.raises(DataError) as caught:
            read(steps, config)
        assert expected in str(caught.value)
    with pytest.raises(UsageError, match="there is no kind 'catgory' for column 'label'"):
        read(steps, DataConfig(kinds={"label": "catgory"}))
    assert read(steps, DataConfig(kinds={"x": "category"})).kinds["x"] == "category"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("none.csv", "none.csv: there is no such file"),
        ("none", "none: there is no such file or folder"),
        ("odd.xyz", "odd.xyz: has no suffix that tells its format; known are .abc, .annotated, .arrow"),
        ("a\0b.csv", "a\\0b.csv: cannot be read: embedded null byte"),
        ("empty", "empty: is a folder without files"),
        ("unknown", "unknown: is a folder in which no file has a known suffix"),
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
        read(tmp_path / source)
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
    found = read(tmp_path)
    assert found.table["text"].to_pylist() == ["this is a.txt", "this is b/1.txt", "this is b/2.txt"]
    assert found.notes == ("3 files are read as text, 1 others are not",)


def test_a_folder_of_tables(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,a\n")
    (tmp_path / "2.jsonl").write_text('{"x": 2.5, "y": "b"}\n')
    assert read(tmp_path).table.to_pydict() == {"x": [1.0, 2.5], "y": ["a", "b"]}


def test_a_file_of_another_form_than_most_is_left_out_and_listed(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,z\n1,a\n")  # the first, but of few
    (tmp_path / "2.csv").write_text("x,y\n1,\n")
    (tmp_path / "3.csv").write_text("x,y\nlow,b\n")  # texts where most have numbers
    for number in range(4, 8):
        (tmp_path / f"{number}.csv").write_text(f"x,y\n{number},b\n")
    (tmp_path / "8.csv").write_text("y,x\nb,8\n")
    (tmp_path / "9.csv").write_text("x,y\n0.5,b\n")
    found = read(tmp_path)
    assert found.table.to_pydict() == {"x": [1, 4, 5, 6, 7, 0.5], "y": [None, "b", "b", "b", "b", "b"]}
    assert found.remarks == (
        f"3 of 9 files are left out: {tmp_path}/1.csv: has other columns than 4.csv: y, z; "
        f"{tmp_path}/3.csv, column 'x': holds string, and int64 in most files; "
        f"{tmp_path}/8.csv: has other columns than 4.csv: their order",
    )


def test_where_no_form_has_most_files_the_first_is_taken(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,a\n")
    (tmp_path / "2.csv").write_text("x,z\n1,a\n")
    found = read(tmp_path)
    assert found.table.to_pydict() == {"x": [1], "y": ["a"]}
    assert found.remarks == (f"1 of 2 files are left out: {tmp_path}/2.csv: has other columns than 1.csv: y, z",)


def test_what_is_wrong_in_a_folder_is_named_by_its_file(tmp_path: Path) -> None:
    for name, rows in (("a", "1\n2"), ("b", "3"), ("c", "4\n5\n6")):
        (tmp_path / f"{name}.csv").write_text(f"x\n{rows}\n")
    where = read(tmp_path).where("x")
    found = [DataError("is odd", file=where.file, row=where.row(index)) for index in range(6)]
    assert [(Path(str(error.file)).name, error.row) for error in found] == [
        ("a.csv", 1),
        ("a.csv", 2),
        ("b.csv", 1),
        ("c.csv", 1),
        ("c.csv", 2),
        ("c.csv", 3),
    ]
    assert str(DataError("is odd", file=where.file)) == f"{tmp_path}: is odd"


def test_columns_of_one_name_are_refused_in_a_folder_too(tmp_path: Path) -> None:
    twice = pa.table([[1], [2]], names=["x", "x"])
    for number in range(2):
        with pa.ipc.new_file(tmp_path / f"{number}.arrow", twice.schema) as file:
            file.write_table(twice)
    with pytest.raises(
        DataError, match=r"not one of its 2 .* can be read; the first: .*0\.arrow, column 'x': is there t"
    ):
        read(tmp_path)


@pytest.mark.parametrize("data", [b"x,y\n1,2\n", b' \n{"x": 1, "y": 2}\n', b"\xef\xbb\xbfx\ty\n1\t2\n"])
def test_standard_input(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    found = read("-")
    assert found.table.to_pydict() == {"x": [1], "y": [2]} and found.origin == "standard input"


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(DataError, match="standard input: nothing came in"):
        read("-")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (pa.table({"x": []}), "memory: holds no row"),
        (pa.table({}), "memory: holds no column"),
        (pa.table([[1], [2]], names=["x", "x"]), "memory, column 'x': is there twice"),
    ],
)
def test_bad_tables_in_memory(source: Any, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        read(source)


def test_names_of_columns_are_only_names() -> None:
    """`../` or a NUL in a column's name is carried as a text, never as a path."""
    names = ["../../etc/passwd", "/abs", "a\0b", "~", "x" * 5000]
    found = read({name: [1.5, 2.5] for name in names})
    assert list(found.kinds) == names


def test_every_reader_says_which_files_it_reads() -> None:
    known = suffixes()
    assert set(known.values()) == set(READERS.names())
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in known)


def test_real_files() -> None:
    folder = Path(os.environ.get("UNROLLED_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip("the data of the benchmarks is not here: UNROLLED_DATA names its folder")
    students = read(folder / "students" / "student-mat.csv")
    assert len(students) == 395 and students.kinds["sex"] == "category" and students.kinds["G3"] == "number"
    ett = read(folder / "ett" / "ETTh1.csv", DataConfig(order="date"))
    assert len(ett) == 1 and list(ett.kinds) == ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
