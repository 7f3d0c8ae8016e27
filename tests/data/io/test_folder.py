"""Files below a folder, and those that a pattern names."""

from __future__ import annotations

from pathlib import Path

import pytest

import unrolled as ur
from unrolled.data.io.folder import bytes_of, files_in, holds_files, root_of
from unrolled.data.tables.read import read
from unrolled.errors import DataError


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    for name in ("logs/b.csv", "logs/a.csv", "logs/deep/a.csv", "logs/.hidden.csv", "logs/notes.txt", "[x]/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"x,y\n{len(name)},yes\n1,no\n")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "root", "found"),
    [
        ("logs", "logs", ["a.csv", "b.csv", "deep/a.csv", "notes.txt"]),
        ("logs/*.csv", "logs", ["a.csv", "b.csv"]),
        ("logs/**/*.csv", "logs", ["a.csv", "b.csv", "deep/a.csv"]),
        ("l*/deep/?.csv", ".", ["logs/deep/a.csv"]),
        ("logs/[bc].csv", "logs", ["b.csv"]),
    ],
)
def test_a_pattern_names_files_below_a_folder(logs: Path, pattern: str, root: str, found: list[str]) -> None:
    path = logs / pattern
    assert holds_files(path)
    assert root_of(path) == logs / root
    assert [file.relative_to(logs / root).as_posix() for file in files_in(path)] == found
    assert bytes_of(path) == sum(file.stat().st_size for file in files_in(path))


def test_a_name_that_looks_like_a_pattern_is_a_name(logs: Path) -> None:
    assert not holds_files(logs / "[x]" / "c.csv")
    assert root_of(logs / "[x]" / "c.csv") == logs / "[x]"
    assert read(str(logs / "[x]" / "c.csv")).table.num_rows == 2


def test_no_such_file(logs: Path) -> None:
    with pytest.raises(DataError, match=r"other\*: no file has such a name"):
        read(str(logs / "other*"))


def test_the_files_of_a_pattern_are_trained_on_and_answered(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(logs)
    trained = ur.fit("logs/*.csv", target="y", steps=2, hidden=4, valid=0, plan="fixed", model="mlp", out="run")
    assert trained.predict("logs/**/*.csv").num_rows == 6
    assert trained.evaluate("logs/?.csv")["accuracy"] == trained.evaluate("logs/[ab].csv")["accuracy"]
    assert read("logs/*.csv").table.column("file").to_pylist() == ["a", "a", "b", "b"]
