from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from workbooks import workbook

from unrolled.data.config import DataConfig
from unrolled.runs import as_written as module
from unrolled.runs.as_written import AsWritten


@pytest.mark.parametrize("data", [b"x\n007\n", gzip.compress(b"x\n007\n", mtime=0)])
def test_the_cells_of_a_file_are_written_as_they_are(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    assert AsWritten(tmp_path / "a.csv", DataConfig()).beside(pa.table({"x": [7]})).to_pydict() == {"x": ["007"]}


def test_a_workbook_that_is_called_csv_is_written_as_it_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(workbook([["x"], [7]]))
    table = pa.table({"x": [7]})
    assert AsWritten(tmp_path / "a.csv", DataConfig()).beside(table) == table


def test_the_next_rows_of_the_file_stand_beside_each_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 20)
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"00{n},1\n" for n in range(50)))
    written, found = AsWritten(tmp_path / "a.csv", DataConfig()), []
    for start, stop in ((0, 3), (3, 30), (30, 50)):
        found += written.beside(pa.table({"x": range(start, stop)})).column("x").to_pylist()
    assert found == [f"00{n}" for n in range(50)]
