from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.data.io.fingerprint import fingerprint
from unrolled.data.tables.read import read
from unrolled.errors import DataError


def pair(folder: Path, first: str, second: str, names: tuple[str, str] = ("train.en", "train.de")) -> str:
    for name, text in zip(names, (first, second), strict=True):
        (folder / name).write_text(text, "utf-8")
    return ",".join(str(folder / name) for name in names)


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("train.en", "train.de"), ["en", "de"]),
        (("train.en", "train.eo"), ["en", "eo"]),
        (("train.en.txt", "train.de.txt"), ["en", "de"]),
        (("source.txt", "target.txt"), ["source", "target"]),
    ],
)
def test_two_files_are_read_line_by_line(names: tuple[str, str], columns: list[str], tmp_path: Path) -> None:
    source = pair(tmp_path, 'So it goes.\n\n"Quoted, and more\n', 'So ist es.\nLeer\n"Zitiert\n', names)
    found = read(source)
    assert found.table.column_names == columns and found.origin.name == source
    assert found.table.column(0).to_pylist() == ["So it goes.", "", '"Quoted, and more']
    assert found.table.column(1).to_pylist() == ["So ist es.", "Leer", '"Zitiert']


def test_one_of_them_is_enough_for_a_trained_model(tmp_path: Path) -> None:
    pair(tmp_path, "one\ntwo\n", "eins\nzwei\n")
    found = read(tmp_path / "train.en", timed={"en": True})
    assert found.table.to_pydict() == {"en": ["one", "two"]}


def test_different_numbers_of_lines_are_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.de: has 2 lines, but train\.en has 3 \(line by line they must"):
        read(pair(tmp_path, "a\nb\nc\n", "a\nb\n"))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    source = pair(tmp_path, "a\n", "b\n")
    (tmp_path / "train.de").unlink()
    with pytest.raises(DataError, match=r"train\.de: there is no such file"):
        read(source)
    with pytest.raises(DataError, match=r"a,b: there is no such file or folder"):
        read("a,b")


def test_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match="two of the files that are read line by line have the same name"):
        read(pair(tmp_path, "a\n", "b\n", ("train.txt", "a/train.txt")))


def test_a_comma_may_be_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "a,b.csv").write_text("x\n1.5\n2.5\n")
    assert read(tmp_path / "a,b.csv").kinds == {"x": "number"}


def test_the_fingerprint_covers_both(tmp_path: Path) -> None:
    source = pair(tmp_path, "a\n", "bb\n")
    before = fingerprint(source)
    assert before["path"] == source and before["size"] == 5
    (tmp_path / "train.de").write_text("cc\n")
    assert fingerprint(source)["sha256"] != before["sha256"]
