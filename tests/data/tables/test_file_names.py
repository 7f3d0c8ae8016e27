from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from configs import data_config

from unrolled.data.tables.read import read
from unrolled.errors import UsageError

DAYS = [f"2024-01-{day:02d}" for day in range(1, 13)]


def texts(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the text of {name}")
    return folder


def tables(folder: Path, **days: list[str]) -> Path:
    for name, rows in days.items():
        (folder / f"{name}.csv").write_text("day,load\n" + "".join(f"{day},{n}.5\n" for n, day in enumerate(rows)))
    return folder


def test_subfolders_of_texts_are_labels(tmp_path: Path) -> None:
    found = read(texts(tmp_path, "pos/1.txt", "pos/2.txt", "neg/1.txt", "neg/more/2.txt"))
    assert found.labelled == "label"
    assert found.table["label"].to_pylist() == ["neg", "neg", "pos", "pos"]
    assert found.table["text"].to_pylist()[0] == "the text of neg/1.txt"


@pytest.mark.parametrize(
    "names",
    [("1.txt", "2.txt"), ("pos/1.txt", "pos/2.txt"), ("pos/1.txt", "2.txt"), ("book/1.txt", "poem/2.txt")],
)
def test_other_folders_of_texts_have_no_label(names: tuple[str, ...], tmp_path: Path) -> None:
    assert read(texts(tmp_path, *names)).table.column_names == ["text"]


def test_lines_have_the_label_of_their_file(tmp_path: Path) -> None:
    texts(tmp_path, "a/1.txt", "b/1.txt", "b/2.txt")
    (tmp_path / "a" / "1.txt").write_text("one\ntwo")
    found = read(tmp_path, data_config(rows_are="lines"))
    assert found.table["label"].to_pylist() == ["a", "a", "b", "b"]


def test_splits_are_not_labels(tmp_path: Path) -> None:
    texts(tmp_path, "train/pos/1.txt", "train/neg/1.txt", "test/pos/1.txt", "test/neg/1.txt")
    wanted = rf"holds the splits train, test: give {tmp_path}/train, and test {tmp_path}/test"
    with pytest.raises(UsageError, match=wanted):
        read(tmp_path)


@pytest.mark.parametrize(
    ("days", "options", "sequences"),
    [
        ({"a": DAYS, "b": DAYS[2:]}, {"order": "day"}, {"a": 12, "b": 10}),  # at the same time: two series
        ({"a": DAYS[:6], "b": DAYS[6:]}, {"order": "day"}, {None: 12}),  # one after the other
        ({"a": DAYS[:6], "b": DAYS[6:]}, {"order": "day", "by": "file"}, {"a": 6, "b": 6}),
    ],
)
def test_a_file_is_a_series_where_times_overlap(
    days: dict[str, list[str]], options: dict[str, Any], sequences: dict[str | None, int], tmp_path: Path
) -> None:
    found = read(tables(tmp_path, **days), data_config(**options))
    assert [len(cell) for cell in found.table["load"].to_pylist()] == [*sequences.values()]
    if None not in sequences:
        assert found.table["file"].to_pylist() == [*sequences]
    assert found.settled.get("by") == ("file" if None not in sequences and "by" not in options else None)
    assert found.remarks[:-1] == {
        (10, 12): ("each of the 2 files is one sequence, as with by file",),
        (12,): ("the 2 files follow one another in time: they are one sequence (by file separates them)",),
    }.get(tuple(sorted(sequences.values())), ())
    assert found.remarks[-1] == "'day': one step is 1 day"


def test_without_times_a_file_of_steps_is_a_series(tmp_path: Path) -> None:
    tables(tmp_path, a=DAYS, b=DAYS[6:])
    found = read(tmp_path, data_config(ignore=("day",)), steps=True)
    assert [len(cell) for cell in found.table["load"].to_pylist()] == [12, 6]
    assert len(read(tmp_path)) == 18  # rows are examples, and the file is kept aside
    assert "file" not in read(tmp_path).kinds


def test_one_file_is_one_series_of_later_data(tmp_path: Path) -> None:
    found = read(tables(tmp_path, a=DAYS) / "a.csv", data_config(by="file", order="day"), timed={"load": True})
    assert found.table["file"].to_pylist() == ["a"] and len(found.table["load"].to_pylist()[0]) == 12


def test_the_file_can_be_the_target(tmp_path: Path) -> None:
    found = read(tables(tmp_path, a=DAYS, b=DAYS), data_config(target=("file",)))
    assert found.kinds["file"] == "category"
