from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.tsf import read_tsf
from unrolled.data.tables.cadence import Cadence
from unrolled.data.tables.read import read
from unrolled.errors import DataError

HEAD = """# from the Monash archive
@relation M1
@attribute series_name string
@attribute start_timestamp date
@frequency monthly
@horizon 18
@missing true
@equallength false
@data
"""
BODY = "T1:1979-01-01 00-00-00:25.5,24,?,9\nT2:1980-06-01 00-00-00:1,2\n"


def written(path: Path, text: str) -> Path:
    (path / "a.tsf").write_text(text)
    return path / "a.tsf"


def test_a_row_is_a_series_with_its_attributes(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + BODY)
    assert read_tsf(path, DataConfig()).to_pydict() == {
        "series_name": ["T1", "T2"],
        "start_timestamp": [datetime.datetime(1979, 1, 1), datetime.datetime(1980, 6, 1)],
        "series": [[25.5, 24, None, 9], [1, 2]],
    }
    found = read(path)
    assert found.kinds == {"series": "number"} and found.remarks == ("one step of the series is 1 month",)
    assert found.cadence == Cadence("1 month", 12, longest=4, horizon=18)
    assert found.dropped["series_name"] == "names the series"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD, "has no series"),
        (HEAD + "T1:1,2\n", "line 10 has 1 values before its series, but the header names 2"),
        (HEAD + "T1:1979-01-01 00-00-00:1,two\n", "line 10: 'two' is not a number"),
        (HEAD + "T1:1979-01-01 00-00-00:1,inf\n", "line 10 holds a number that is infinite"),
        (HEAD + "T1:January:1,2\n", "row 1, column 'start_timestamp': 'January' is not a time such as 1979-01-31"),
        ("@attribute x\n@data\n", "line 1: an attribute needs its own name and a type"),
        ("x,y\n1,2\n", "line 1 is before @data but does not start with a key of .tsf"),
        ("@frequency daily\n", "has no line @data"),
    ],
)
def test_what_the_format_does_not_allow_is_named(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=expected):
        read_tsf(written(tmp_path, text), DataConfig())
