from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.tables import partitions
from unrolled.data.tables.grouping import group_steps
from unrolled.data.tables.partitions import Partitions
from unrolled.errors import SpaceError

ROWS = pa.table({"who": [f"u{n % 13}" for n in range(200)], "x": np.arange(200)})


@pytest.mark.parametrize("count", [1, 3, 1_000])
def test_each_sequence_is_gathered_whole_and_in_order(count: int, tmp_path: Path) -> None:
    with Partitions(tmp_path, "who", count) as parts:
        for at in range(0, 200, 7):
            parts.add(ROWS.slice(at, 7))
        parts.gather(lambda rows: group_steps(rows, "who"))
        found = [row for table in parts for row in table.to_pylist()]
    wanted = group_steps(ROWS, "who").to_pylist()
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert {path.suffix for path in tmp_path.iterdir()} == {".grouped"}


def test_rows_that_do_not_fit_into_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "free_memory", lambda: 1_000)
    message = (
        r"the rows of some sequences take 0.0 GB, and gathering them 4 times as much, but 0.0 GB of memory are free"
    )
    with Partitions(tmp_path, "who", 1) as parts:
        parts.add(ROWS)
        with pytest.raises(SpaceError, match=message):
            parts.gather(lambda rows: rows)
