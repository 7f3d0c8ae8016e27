from __future__ import annotations

import datetime
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from configs import data_config
from workbooks import workbook

from unrolled.data.readers.excel import read_excel
from unrolled.data.tables.read import read
from unrolled.errors import DataError, MissingExtra

DAYS = [datetime.date(2024, 1, 2), datetime.date(2024, 1, 3)]
ROWS = [
    ["day", "n", "x", "ok", "text"],
    [DAYS[0], 3, 1.5, True, 'good, "cheap"'],
    [DAYS[1], 4, None, False, "bad\nend"],
]
TABLE = {"day": DAYS, "n": [3, 4], "x": [1.5, None], "ok": [True, False], "text": ['good, "cheap"', "bad\nend"]}


def written(path: Path, rows: list[list[Any]], **others: Any) -> Path:
    path.write_bytes(workbook(rows, **others))
    return path


def test_a_sheet_is_a_table(tmp_path: Path) -> None:
    assert read_excel(written(tmp_path / "a.xlsx", ROWS), data_config()).to_pydict() == TABLE


def test_a_title_and_empty_lines_are_left_out(tmp_path: Path) -> None:
    two = written(tmp_path / "b.xlsx", [["Sales of 2024"], ["Source: ERP"], [], *ROWS])
    assert read(two).remarks == ("the title 'Sales of 2024; Source: ERP' above the table is left out",)
    path = written(tmp_path / "a.xlsx", [["Sales of 2024"], [], *ROWS[:2], [], ROWS[2]])
    assert read_excel(path, data_config()).to_pydict() == TABLE
    assert read(path).remarks == ("the title 'Sales of 2024' above the table is left out",)


def test_a_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", ROWS, Notes=[["x"], [1]])
    assert read(path).remarks == ("the sheet 'Data' is read; others: Notes (sheet chooses one)",)
    assert read_excel(path, data_config(sheet="Notes")).to_pydict() == {"x": [1]}
    with pytest.raises(DataError, match="has no sheet 'Note'. Did you mean 'Notes'?"):
        read_excel(path, data_config(sheet="Note"))


def test_a_workbook_is_one_whatever_its_suffix(tmp_path: Path) -> None:
    found = read(written(tmp_path / "a.csv", ROWS))
    assert found.reader == "excel" and found.table.column_names == list(TABLE)
    assert found.remarks == ("a.csv is read as excel, as its content shows (format chooses another format)",)


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    for data in (b"x,y\n1,2\n", workbook(ROWS)[:400]):
        (tmp_path / "a.xlsx").write_bytes(data)
        with pytest.raises(
            DataError, match=r"a\.xlsx: is not a (workbook that can be read|whole zip archive or workbook)"
        ):
            read_excel(tmp_path / "a.xlsx", data_config())
    with pytest.raises(DataError, match="has no rows in this sheet"):
        read_excel(written(tmp_path / "b.xlsx", []), data_config())


def test_calamine_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if "calamine" in name else find(name, *a))
    with pytest.raises(MissingExtra, match=r"a workbook needs python-calamine: pip install 'unrolled\[excel\]'"):
        read_excel(written(tmp_path / "a.xlsx", ROWS), data_config())


def test_names_may_be_given_for_its_columns(tmp_path: Path) -> None:
    found = read(written(tmp_path / "a.xlsx", [[1, 2.5], [3, 4.5]]), data_config(header=("n", "x")))
    assert found.table.to_pydict() == {"n": [1, 3], "x": [2.5, 4.5]}
