from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from unrolled.data.io import unpacking
from unrolled.data.io.unpacking import beginning, check_archive, contents, plain_name
from unrolled.errors import DataError

DATA = b"x,y\n" + b"1,2\n" * 50_000


def zipped(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return held.getvalue()


def zstandard(data: bytes) -> bytes:
    return pa.compress(data, "zstd", asbytes=True)


PACKED = {
    "a.csv": DATA,
    "a.csv.gz": gzip.compress(DATA),
    "a.csv.bz2": bz2.compress(DATA),
    "a.csv.xz": lzma.compress(DATA),
    "a.csv.zst": zstandard(DATA),
    "a.csv.zip": zipped(b_csv=DATA),
    "misnamed.csv": gzip.compress(DATA),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_packed_file_is_read_as_if_it_were_not(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(PACKED[name])
    assert bytes(contents(path)) == DATA
    seen = beginning(path)
    assert seen.data == DATA[: 1 << 16] and not seen.whole and not seen.members
    assert seen.name == ("b.csv" if name.endswith("zip") else plain_name(path))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.bz2", "a.csv.xz", "a.csv.zst", "a.csv.zip"])
def test_a_packed_file_that_is_cut_short_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(PACKED[name][:-12])
    kinds = {"gz": "gzip file", "bz2": "bzip2 file", "xz": "xz file", "zst": "zstandard file"}
    kind = kinds.get(path.suffix[1:], "zip archive or workbook")
    with pytest.raises(DataError, match=f"{path}: is not a whole {kind}"):
        contents(path)


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, zstandard, lambda data: zipped(a_csv=data)]
)
def test_a_bomb_is_refused_at_its_limit(pack: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_UNPACKED_FLOOR", 1 << 20)
    (tmp_path / "bomb").write_bytes(pack(b"0" * (8 << 20)))  # type: ignore[operator]
    with pytest.raises(DataError, match=r"bomb: unpacks to more than \d+ MiB, the limit for a file of its size"):
        contents(tmp_path / "bomb")


def test_an_archive_of_several_files_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(**{f"{letter}_csv": b"x\n1\n" for letter in "abcdefg"}))
    with pytest.raises(DataError, match=r"is an archive of 7 files: a.csv, b.csv, .*, e.csv, and 2 more \(unpack it"):
        contents(path)
    assert beginning(path).members[:2] == ("a.csv", "b.csv")
    path.write_bytes(zipped())
    with pytest.raises(DataError, match="is an archive without a file"):
        contents(path)


def test_what_macos_adds_to_an_archive_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(a_csv=DATA, __MACOSX___a_csv=b"\0\5"))
    assert bytes(contents(tmp_path / "a.zip")) == DATA


def test_an_archive_is_checked_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xlsx").write_bytes(zipped(a_csv=b"0" * (8 << 20)))
    check_archive(tmp_path / "a.xlsx")
    monkeypatch.setattr(unpacking, "_UNPACKED_FLOOR", 1 << 20)
    with pytest.raises(DataError, match="unpacks to more than 1 MiB"):
        check_archive(tmp_path / "a.xlsx")


def test_an_encrypted_archive_is_refused_in_a_sentence(tmp_path: Path) -> None:
    data = bytearray(zipped(a_csv=DATA))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="is not a whole zip file: .*password required"):
        contents(tmp_path / "a.zip")
