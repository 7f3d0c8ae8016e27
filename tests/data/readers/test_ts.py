"""The .ts format: what is read, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from mutations import survive

from unrolled.data.config import DataConfig
from unrolled.data.readers.ts import read_ts
from unrolled.data.tables.read import read
from unrolled.errors import DataError
from unrolled.testing.damage import mutated

HEADER = (
    "# a remark\n%another\n@problemName Steps\n@timeStamps false\n\n@dimensions 2\n@classLabel true slow fast\n@data\n"
)
PLAIN = "@univariate true\n@classLabel true 1 2\n@data\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "a.ts"
    path.write_text(text, "utf-8")
    return path


def test_a_line_is_a_series_of_all_its_dimensions(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "1,2,3:4,5,6:slow\n7, -8.5e1 :9,?:fast\n")
    table = read_ts(path, DataConfig())
    assert table.to_pydict() == {
        "series": [[[1, 4], [2, 5], [3, 6]], [[7, 9], [-85, None]]],
        "class": ["slow", "fast"],
    }
    assert read(path).kinds == {"series": "series", "class": "category"}


def test_one_dimension_is_a_list_of_numbers(tmp_path: Path) -> None:
    table = read_ts(written(tmp_path, PLAIN.replace("\n", "\r\n") + "1,NaN:1\r\n3:2"), DataConfig())
    assert table.to_pydict() == {"series": [[1, None], [3]], "class": ["1", "2"]}
    assert read(written(tmp_path, PLAIN + "1,2:1\n3,4:2\n")).kinds == {"series": "number", "class": "category"}


def test_a_number_to_foretell_or_nothing_may_stand_behind(tmp_path: Path) -> None:
    assert read_ts(written(tmp_path, "@TargetLabel true\n@data\n1,2:0.5\n"), DataConfig()).to_pydict() == {
        "series": [[1, 2]],
        "target": [0.5],
    }
    assert read_ts(written(tmp_path, "@classLabel false\n@data\n1,2\n3\n"), DataConfig()).to_pydict() == {
        "series": [[1, 2], [3]]
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN, "has no series (after a line @data, write one on each line)"),
        ("1,2:1\n", "line 1 is before @data but does not start with @"),
        ("@timeStamps true\n@data\n", "line 1: time stamps are not supported (remove them)"),
        (PLAIN + "1,2:3\n", "line 4: '3' is not one of the labels in the header (1, 2)"),
        (HEADER + "1:2:slow\n1:slow\n", "line 10 has 1 dimensions, but the first line has 2"),
        (HEADER + "1:2,3:slow\n", "line 9: dimension 2 has 2 steps, but the first has 1"),
        (PLAIN + "1\n", "line 4 has no series before its label"),
        (PLAIN + "1,2:1\n1,two:2\n", "row 2, column 'series': 'two' is not a number"),
        ("@targetLabel true\n@data\n1:2\n1:x\n", "row 2, column 'target': 'x' is not a number"),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_ts(path, DataConfig())
    assert str(caught.value).startswith(str(path)) and message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.soak
def test_mutated_files_are_read_or_refused_in_a_sentence(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    dice = random.Random(0)
    whole = (HEADER + "1,2.5,3e2:4,-5,6:slow\n7,8:9,?:fast\n0.1,0.2,0.3,0.4:1,1,1,1:slow\n").encode()
    rounds = times(300, 10_000)
    for number in range(rounds):
        (tmp_path / f"{number}.ts").write_bytes(mutated(whole, dice))
    done, refused = survive("ts", tmp_path)
    print(f"ts: {done} read, {refused} refused")
    assert done + refused == rounds and min(done, refused) > rounds / 20
