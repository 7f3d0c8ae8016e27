from __future__ import annotations

import os
from pathlib import Path

import pytest
from configs import data_config

from unrolled.data.tables.read import read
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
    assert found.kinds == {"text": "tokens", "works": "category"} and found.origin.name == str(path)
    assert found.notes == (
        "'day' is left out: it holds dates or times: name it as order to sort by it, or give it the kind calendar with kinds",
        "'none' is left out: it is empty",
    )
    assert found.table.column_names == ["text", "works", "day", "none"]
    assert read(str(path)).kinds == found.kinds


def test_steps_are_grouped(steps: Path) -> None:
    found = read(steps, data_config(by="id", order="t", ignore=("day",)))
    assert found.table["x"].to_pylist() == [[0.5, 0.7], [0.1]] and found.table["label"].to_pylist() == ["p", "q"]
    assert list(found.kinds) == ["x", "label"]
    assert found.dropped == {"day": "is listed in ignore", "id": "names the sequence", "t": "orders the steps"}
    assert len(read(steps, data_config(order="day"))) == 1 == len(read(steps, steps=True))
    later = read(steps, data_config(by="id"), timed={"label": True})
    assert later.table["label"].to_pylist() == [["p", "p"], ["q"]]


def test_configuration_is_checked(steps: Path) -> None:
    for config, expected in [
        (data_config(by="idd"), "column 'idd': there is no such column (Did you mean 'id'?"),
        (data_config(ignore=("lable",)), "column 'lable': there is no such column to ignore (Did you mean 'label'?"),
        (data_config(kinds={"lable": "category"}), "column 'lable': there is no such column"),
        (data_config(ignore=("id", "t", "x", "label")), "no column is left to learn from: 'id' is listed in ignore; "),
    ]:
        with pytest.raises(DataError) as caught:
            read(steps, config)
        assert expected in str(caught.value)
    with pytest.raises(UsageError, match="unknown kind 'catgory' for column 'label'"):
        read(steps, data_config(kinds={"label": "catgory"}))
    assert read(steps, data_config(kinds={"x": "category"})).kinds["x"] == "category"


def test_names_of_columns_are_only_names() -> None:
    """`../` or a NUL in a column's name is carried as a text, never as a path."""
    names = ["../../etc/passwd", "/abs", "a\0b", "~", "x" * 5000]
    found = read({name: [1.5, 2.5] for name in names})
    assert list(found.kinds) == names


def test_real_files() -> None:
    folder = Path(os.environ.get("UNROLLED_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip("the data of the benchmarks is not here: UNROLLED_DATA names its folder")
    students = read(folder / "students" / "student-mat.csv")
    assert len(students) == 395 and students.kinds["sex"] == "category" and students.kinds["G3"] == "number"
    ett = read(folder / "ett" / "ETTh1.csv", data_config(order="date"))
    assert len(ett) == 1 and list(ett.kinds) == ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
