from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from configs import data_config

import unrolled as ur
from unrolled.data.tables.read import read
from unrolled.data.tables.sets import separators_of
from unrolled.errors import DataError, UsageError

GENRES = ["Action|Drama", "Drama", "Comedy|Drama|Action", "Comedy"] * 10
COLUMNS = {
    "bars": (GENRES, "|"),
    "semicolons": ([cell.replace("|", ";") for cell in GENRES], ";"),
    "commas and blanks": ([cell.replace("|", ", ") for cell in GENRES], ","),
    "with empty cells": ([*GENRES, None], "|"),
    "one label a cell": (["Action", "Drama"] * 20, None),
    "fields of one size": (["Paris, France", "Rome, Italy"] * 20, None),
    "names of people": (["Smith, John", "Lee, Ann", "nobody", "Roe, John"] * 10, None),
    "prose": ([f"I saw it, and liked it, number {n}" if n % 2 else f"bad {n}" for n in range(40)], None),
    "the same twice": ([*GENRES, "Drama|Drama"], None),
    "an empty part": ([*GENRES, "Drama|"], None),
    "too seldom": (["Drama|War", *["Drama"] * 40], None),
    "names": ([f"Smith {n}|Jones {n}" if n % 2 else f"Lee {n}" for n in range(40)], None),
    "numbers": ([1, 2] * 20, None),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_sets_are_told_from_other_cells(name: str) -> None:
    cells, separator = COLUMNS[name]
    assert separators_of(pa.table({"x": cells}), ["x"]) == ({} if separator is None else {"x": separator})


def file(folder: Path, cells: list[str], name: str = "films.csv") -> str:
    lines = [f"film number {n},{cell}" for n, cell in enumerate(cells)]
    (folder / name).write_text("\n".join(["plot,genres", *lines, ""]))
    return str(folder / name)


def test_they_become_lists_and_it_is_said(tmp_path: Path) -> None:
    found = read(file(tmp_path, GENRES))
    assert found.column("genres").to_pylist()[:3] == [["Action", "Drama"], ["Drama"], ["Comedy", "Drama", "Action"]]
    assert found.kinds["genres"] == "category"
    assert "'genres' holds sets of labels, separated by '|'; sets genres=none keeps its cells whole" in found.notes
    whole = read(file(tmp_path, GENRES), data_config(sets={"genres": "none"}))
    assert whole.column("genres").to_pylist()[:2] == ["Action|Drama", "Drama"]


def test_a_model_reads_later_cells_as_the_first_ones(tmp_path: Path) -> None:
    trained = ur.fit(file(tmp_path, GENRES), steps=1, hidden=4, out=tmp_path / "run")
    assert (trained.task.name, trained.task.coder.target) == ("classify", "genres")
    assert trained.config.data.sets == {"genres": "|"}
    later = file(tmp_path, ["Drama", "Action|Comedy"], "later.csv")  # too few to show it
    opened = ur.load(tmp_path / "run")
    assert opened.evaluate(later) == trained.evaluate(later)
    assert opened.evaluate(later).keys() >= {"micro_f1"}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sets": {"genre": "|"}}, DataError, "genre"),
        ({"sets": {"genres": ""}}, UsageError, r"sets needs a separator for 'genres', such as genres=\|"),
        ({"sets": {"genres": "|"}, "by": "plot"}, UsageError, "sets only works where each row is one example"),
    ],
)
def test_what_cannot_be_split_is_refused(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        read(file(tmp_path, GENRES), data_config(**options))


def test_numbers_are_not_split() -> None:
    with pytest.raises(DataError, match=r"column 'n': holds int64, not texts that could be split at '\|'"):
        read({"n": [1, 2], "text": ["a", "b"]}, data_config(sets={"n": "|"}))
