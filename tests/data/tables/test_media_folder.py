from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from allocations import peak_of
from configs import data_config
from sounds import wav

from unrolled.data.io.blobs import blobs
from unrolled.data.media.pictures import to_png
from unrolled.data.tables.read import read
from unrolled.data.tables.split import hold_out
from unrolled.errors import DataError


def draw(path: Path, value: int) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = to_png(np.full((2, 2, 1), value, np.uint8))
    path.write_bytes(data)
    return data


def cells(table: pa.Table) -> list[bytes]:
    return [bytes(data or b"") for data in blobs(table.column("image"))]


def test_folders_are_labels(tmp_path: Path) -> None:
    drawn = [draw(tmp_path / name, n) for n, name in enumerate(("cat/1.png", "cat/more/2.png", "dog/1.png"))]
    found = read(tmp_path)
    gc.collect()
    assert cells(found.table) == drawn
    assert found.table["name"].to_pylist() == ["cat/1.png", "cat/more/2.png", "dog/1.png"]
    assert found.table["label"].to_pylist() == ["cat", "cat", "dog"]
    assert found.kinds["image"] == "image" and "name" not in found.kinds
    assert found.labelled == "label"
    assert read(tmp_path, data_config(ignore=("label",))).labelled is None
    assert found.notes == ("'name' is left out: it names the files",)
    assert cells(found.take(np.array([2, 0])).table) == [drawn[2], drawn[0]]


@pytest.mark.parametrize("names", [("1.png", "2.png"), ("cat/1.png", "cat/2.png"), ("cat/1.png", "2.png")])
def test_without_several_folders_there_is_no_label(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        draw(tmp_path / name, 1)
    assert read(tmp_path).table.column_names == ["name", "image"]


def test_names_can_be_learned_from_if_that_is_asked_for(tmp_path: Path) -> None:
    draw(tmp_path / "1.png", 1)
    assert read(tmp_path, data_config(kinds={"name": "tokens"})).kinds == {"name": "tokens", "image": "image"}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_table_beside_the_files_names_them(tmp_path: Path, form: str) -> None:
    drawn = {name: draw(tmp_path / "pictures" / f"{name}.png", n) for n, name in enumerate("abc")}
    rows = [("./pictures/b.png", "two"), ("a.png", "one"), ("b.png", "again"), ("gone.png", "lost")]
    lines = [f"{file},{text}" for file, text in rows]
    if form == "jsonl":
        lines = [f'{{"file": "{file}", "caption": "{text}"}}' for file, text in rows]
    (tmp_path / f"captions.{form}").write_text("\n".join(["file,caption"] * (form == "csv") + lines))
    found = read(tmp_path)
    assert found.table.column_names == ["name", "image", "caption"]
    assert found.table["caption"].to_pylist() == ["two", "one", "again"]
    assert found.table["name"].to_pylist() == ["pictures/b.png", "pictures/a.png", "pictures/b.png"]
    assert cells(found.table) == [drawn["b"], drawn["a"], drawn["b"]]
    assert found.remarks == (
        f"1 rows of captions.{form} name a file that is not in the folder: 'gone.png'",
        f"1 files are not named in captions.{form}: 'pictures/c.png'",
    )


def test_one_broken_file_of_many_is_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    for number in range(40):
        draw(tmp_path / "ab"[number % 2] / f"{number}.png", number)
    (tmp_path / "a" / "20.png").write_bytes(b"\x89PNG\r\n\x1a\nthis is none")
    (tmp_path / "a" / "22.png").write_bytes(b"")
    found = read(tmp_path)
    assert len(found) == 38
    (remark,) = found.remarks
    assert remark.startswith(f"2 of 40 files are left out: {tmp_path}/a/20.png: cannot be decoded as a picture: ")
    assert f"; {tmp_path}/a/22.png: is empty" in remark
    captions = "".join(f"{number}.png,{number}\n" for number in range(40))
    (tmp_path / "captions.csv").write_text("file,n\n" + captions)
    assert len(read(tmp_path)) == 38


def test_many_broken_files_are_listed_in_part(tmp_path: Path) -> None:
    draw(tmp_path / "good.png", 1)
    for number in range(25):
        (tmp_path / f"{number:02}.png").write_bytes(b"x")
    (remark,) = read(tmp_path).remarks
    assert remark.startswith("25 of 26 files are left out: ") and remark.endswith("; and 5 more")
    (tmp_path / "good.png").unlink()
    with pytest.raises(
        DataError, match=r"none of its 25 image files can be read; the first: .*00\.png: cannot be decoded"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"1.csv": "f,x\na.png,1", "2.csv": "f,x\na.png,1"}, r"1\.csv and 2\.csv name the same files \(keep only one"),
        ({"1.csv": "f,image\na.png,1"}, r"1\.csv, column 'image': this name is taken by the column of the files' con"),
        ({"1.csv": "f,name\na.png,1"}, r"1\.csv, column 'name': this name is taken by the column of the files' names"),
        ({"1.csv": "f,x\nbad.png,1"}, r"1\.csv, column 'f': does not name any file that can be read"),
        ({"1.csv": "f,x\na.png"}, r"1\.csv, row 1: has 1 cell,"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path: Path, tables: dict[str, str], expected: str) -> None:
    for name in ("a.png", "b.png", "c.png", "d.png"):
        draw(tmp_path / name, 1)
    (tmp_path / "bad.png").write_bytes(b"x")
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=expected):
        read(tmp_path)


def test_a_table_that_names_no_file_is_none_of_ours(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw(tmp_path / name, 1)
    (tmp_path / "prices.csv").write_text("x,y\n1,up\n")
    assert read(tmp_path).table.column_names == ["name", "image"]


def test_recordings_are_read_and_held_out_without_a_copy_of_them(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[number % 2] / f"{number}.wav").write_bytes(wav(np.zeros(20_000)))
    size = sum(file.stat().st_size for file in tmp_path.rglob("*.wav"))
    parts: list[object] = []
    assert peak_of(lambda: parts.extend(hold_out(read(tmp_path), 0.2, seed=0, labels="label"))) < size / 10
