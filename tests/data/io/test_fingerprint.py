from __future__ import annotations

import hashlib
import json
from io import BufferedReader
from pathlib import Path

import pyarrow as pa
import pytest

from unrolled.data.io import fingerprint as fingerprint_module
from unrolled.data.io.fingerprint import fingerprint, fingerprint_table, verify
from unrolled.data.io.mapped import open_regular
from unrolled.errors import DataError


def test_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\n1\n" * 1_000_000)
    saved = fingerprint(path)
    assert saved == {"path": str(path), "size": 4_000_000, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    verify(json.loads(json.dumps(saved)), fingerprint(path))
    verify(saved, fingerprint(path.rename(tmp_path / "moved.csv")))


def test_what_changed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"abc")
    saved = fingerprint(path)
    path.write_bytes(b"abcd")
    with pytest.raises(DataError, match="the data has changed: it had 3 bytes when the run started and now has 4"):
        verify(saved, fingerprint(path))
    path.write_bytes(b"abd")
    with pytest.raises(
        DataError, match="the data has changed: it has the same size as when the run started, but other contents"
    ) as caught:
        verify(saved, fingerprint(path))
    assert caught.value.exit_code == 3
    path.unlink()
    with pytest.raises(DataError, match="there is no such file"):
        verify(saved, fingerprint(path))


def test_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "1.txt").write_text("one")
    (folder / "2.txt").write_text("two")
    (folder / "empty").write_text("")
    saved = fingerprint(folder)
    assert saved["size"] == 6 and fingerprint(folder) == saved
    (folder / ".hidden").write_text("not looked at")
    verify(saved, fingerprint(folder))
    (folder / "b" / "1.txt").rename(folder / "1.txt")
    with pytest.raises(DataError, match="other contents"):
        verify(saved, fingerprint(folder))
    (folder / "1.txt").rename(folder / "b" / "1.txt")
    verify(saved, fingerprint(folder))
    (folder / "2.txt").write_text("owt")
    with pytest.raises(DataError, match="other contents"):
        verify(saved, fingerprint(folder))


def test_an_unreadable_file_of_a_folder_is_none_of_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.txt", "2.txt"):
        (tmp_path / name).write_text("")
    empty = fingerprint(tmp_path)

    def closed(path: Path, empty: bool) -> BufferedReader:
        if path.name == "2.txt":
            raise DataError("cannot be read: Permission denied", file=str(path))
        return open_regular(path, empty)

    monkeypatch.setattr("unrolled.data.io.fingerprint.open_regular", closed)
    assert fingerprint(tmp_path)["sha256"] != empty["sha256"]
    with pytest.raises(DataError, match="Permission denied"):
        fingerprint(tmp_path / "2.txt")


def test_of_nothing(tmp_path: Path) -> None:
    for name, expected in [("none", "there is no such file"), ("a\0b", "embedded null byte")]:
        with pytest.raises(DataError, match=expected):
            fingerprint(tmp_path / name)


def test_the_fingerprint_of_a_long_table_does_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint_module, "_ROWS", 3)
    found = [
        fingerprint_table(pa.table({"x": pa.chunked_array(chunks)}))
        for chunks in ([[1, 2, 3, 4, 5]], [[1], [2, 3, 4], [5]])
    ]
    assert found[0] == found[1]
    assert fingerprint_table(pa.table({"x": [1, 2, 3, 4, 6]})) != found[0]
