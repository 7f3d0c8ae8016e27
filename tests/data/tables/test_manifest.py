from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from configs import data_config
from contracts.test_folders import FILES
from sounds import samples, wav

from unrolled.data.io.blobs import blobs
from unrolled.data.tables.read import read
from unrolled.errors import DataError


def written(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def clips(folder: Path, names: str = "ab") -> dict[str, bytes]:
    return {n: written(folder / f"{n}.wav", wav(samples(k, 800))).read_bytes() for k, n in enumerate(names)}


def cells(table: pa.Table, name: str) -> list[bytes | None]:
    return [None if data is None else bytes(data) for data in blobs(table.column(name))]


@pytest.mark.parametrize(("inside", "prefix"), [("", ""), ("clips", "clips/"), ("clips", "clips\\"), ("clips", "ABS")])
def test_cells_that_name_recordings_become_them(inside: str, prefix: str, tmp_path: Path) -> None:
    sounds = clips(tmp_path / inside)
    prefix = prefix.replace("ABS", f"{tmp_path}/clips/")
    path = written(
        tmp_path / "train.csv", f"clip,mood\n{prefix}b.wav,sad\n{prefix}a.wav,glad\n{prefix}b.wav,sad\n,glad\n"
    )
    found = read(path)
    assert found.kinds == {"clip": "audio", "mood": "category"}
    assert cells(found.table, "clip") == [sounds["b"], sounds["a"], sounds["b"], None]
    assert found.table["clip_name"].to_pylist() == [f"{prefix}b.wav", f"{prefix}a.wav", f"{prefix}b.wav", None]
    assert found.notes == (
        "'clip' names 2 files, read as audio",
        "'clip_name' is left out: it names the files",
    )


def test_names_may_be_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips(tmp_path / "clips")
    written(tmp_path / "meta" / "train.csv", "clip\nclips/a.wav\nclips/b.wav\n")
    monkeypatch.chdir(tmp_path)
    assert read("meta/train.csv").kinds == {"clip": "audio"}
    assert read({"clip": ["clips/a.wav"]}).kinds == {"clip": "audio"}


@pytest.mark.parametrize(
    ("ending", "kind"), [("png", "image"), ("mp4", "video"), ("mid", "tokens"), ("npy", "number"), ("txt", "tokens")]
)
def test_other_files(ending: str, kind: str, tmp_path: Path) -> None:
    _, good, _ = FILES[ending]
    for number in range(2):
        written(tmp_path / f"{number}.{ending}", good(number))
    path = written(tmp_path / "t.jsonl", "".join(f'{{"file": "{n}.{ending}", "y": {n}.5}}\n' for n in range(2)))
    found = read(path)
    assert found.kinds["file"] == kind and not pa.types.is_string(found.table["file"].type)
    assert found.table["y"].to_pylist() == [0.5, 1.5]


def test_arrays_of_any_length_are_series(tmp_path: Path) -> None:
    for length in (2, 3):
        np.save(tmp_path / f"{length}.npy", np.arange(2 * length, dtype=np.float32).reshape(length, 2))
    found = read(written(tmp_path / "t.csv", "walk,y\n3.npy,1.5\n2.npy,2.5\n"))
    assert found.table["walk"].to_pylist() == [[[0, 1], [2, 3], [4, 5]], [[0, 1], [2, 3]]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("a.wav\ngone.wav\n", r"t\.csv, row 2, column 'clip': there is no file '.*gone\.wav'"),
        (
            "x/a.wav\nx/b.wav\n",
            r"column 'clip': names files such as 'x/a.wav', but none of them is in .* \(move the table",
        ),
        (
            "a.wav\nbad.wav\n",
            r"t\.csv, row 2, column 'clip': names a file that cannot be read: .*bad\.wav: cannot be dec",
        ),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_named_with_its_row(rows: str, expected: str, tmp_path: Path) -> None:
    clips(tmp_path)
    written(tmp_path / "bad.wav", b"none")
    with pytest.raises(DataError, match=expected):
        read(written(tmp_path / "t.csv", f"clip,y\n{rows.replace('.wav', '.wav,1')}"))


@pytest.mark.parametrize("options", [{"kinds": {"clip": "category"}}, {"ignore": ("clip",)}, {"by": "clip"}])
def test_a_column_that_plays_another_part_stays_as_it_is(options: dict[str, Any], tmp_path: Path) -> None:
    clips(tmp_path)
    found = read(written(tmp_path / "t.csv", "clip,x\na.wav,1.5\nb.wav,2.5\n"), data_config(**options))
    assert found.table["clip"].to_pylist() == ["a.wav", "b.wav"]


def test_a_text_is_not_taken_for_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "secret.txt", "hush")
    written(tmp_path / "in" / "a.txt", "so")
    monkeypatch.chdir(tmp_path)
    assert read(["secret.txt"]).table["text"].to_pylist() == ["secret.txt"]
    assert read({"text": ["secret.txt"]}).table["text"].to_pylist() == ["secret.txt"]
    for names in ("../secret.txt", f"{tmp_path}/secret.txt", "a.txt\ngone.txt"):
        path = written(tmp_path / "in" / "t.csv", f"text\n{names}\n")
        assert read(path).table["text"].to_pylist() == names.split("\n")
    path = written(tmp_path / "in" / "t.csv", "text\na.txt\n")
    assert read(path).table["text"].to_pylist() == ["so"]


def test_what_named_files_once_does_so_in_later_data(tmp_path: Path) -> None:
    written(tmp_path / "a.txt", "so")
    path = written(tmp_path / "t.csv", "note,y\na.txt,1.5\n")
    assert read(path).settled == {"file_columns": ("note",)}
    later = data_config(file_columns=("note",), kinds={"note": "tokens"})
    assert read(path, later, timed={"note": True}).table["note"].to_pylist() == ["so"]
    assert read(written(tmp_path / "u.csv", "y\n1.5\n"), later, timed={"note": True}).table["y"].to_pylist() == [1.5]


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("notes", "a.txt\n", r"there is no such column. Did you mean 'note'\?"),
        ("note", "a.xyz\n", "does not name files of one format, by their suffix"),
        ("note", "../a.txt\n", "names texts, which must all lie below the folder of the table"),
    ],
)
def test_a_column_that_is_said_to_name_files_must(name: str, rows: str, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path / "in" / "t.csv", f"note\n{rows}")
    written(tmp_path / "a.txt", "so")
    with pytest.raises(DataError, match=expected):
        read(path, data_config(file_columns=(name,)))


def test_names_among_other_words_are_words(tmp_path: Path) -> None:
    clips(tmp_path)
    assert read(written(tmp_path / "t.csv", "text\na.wav\nhello there\n")).kinds == {"text": "tokens"}
