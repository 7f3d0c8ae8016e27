from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from workbooks import workbook

from unrolled.data.config import DataConfig
from unrolled.runs.as_written import as_written


@pytest.mark.parametrize("data", [b"x\n007\n", gzip.compress(b"x\n007\n", mtime=0)])
def test_the_cells_of_a_file_are_written_as_they_are(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    assert as_written(pa.table({"x": [7]}), tmp_path / "a.csv", DataConfig()).to_pydict() == {"x": ["007"]}


def test_a_workbook_that_is_called_csv_is_written_as_it_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(workbook([["x"], [7]]))
    table = pa.table({"x": [7]})
    assert as_written(table, tmp_path / "a.csv", DataConfig()) == table
