"""A folder with a broken file trains on the rest and lists it, whatever reads its files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import av
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.io
from samples import ours
from sounds import samples, wav
from workbooks import workbook

import unrolled as ur
from unrolled.api import embed
from unrolled.data.media.pictures import to_png
from unrolled.data.tables.read import read
from unrolled.errors import DataError


def _parquet(number: int) -> bytes:
    file = io.BytesIO()
    pa.parquet.write_table(pa.table({"x": [number]}), file)
    return file.getvalue()


def _video(number: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as video:
        stream = video.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "yuv420p"
        for packet in stream.encode(av.VideoFrame.from_ndarray(np.full((16, 16, 3), number, np.uint8))):
            video.mux(packet)
        video.mux(stream.encode())
    return file.getvalue()


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _mat(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, arrays)
    return file.getvalue()


def _hdf5(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as written:
        written["x"] = array
    return file.getvalue()


def _midi(number: int) -> bytes:
    notes = bytes([0, 0x90, 60 + number, 64, 96, 0x80, 60 + number, 0, 0, 0xFF, 0x2F, 0])  # on, 96 ticks, off, end
    return b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 96]) + b"MTrk" + len(notes).to_bytes(4, "big") + notes


# A name's ending -> its reader, what a good file holds, and what a broken one does.
FILES: dict[str, tuple[str, Callable[[int], bytes], bytes]] = {
    "abc": ("abc", lambda n: f"X:{n}\nK:C\nCDE|\n".encode(), b"no tune"),
    "wav": ("audio", lambda n: wav(samples(n, 800)), wav(samples(0, 800))[:300]),
    "conll": ("columns", lambda n: f"w{n} O\n".encode(), b"one O\ntwo\n"),
    "fa": ("fasta", lambda n: b">r\nACGT\n", b"ACGT\n"),
    "png": ("image", lambda n: to_png(np.full((2, 2, 1), n, np.uint8)), b"\x89PNG\r\n\x1a\nnone"),
    "csv": ("table", lambda n: f"x\n{n}\n".encode(), b"x,y\n1,2,3,4\n"),
    "jsonl": ("table", lambda n: f'{{"x": {n}}}\n'.encode(), b'{"x": \n'),
    "csv.gz": ("table", lambda n: __import__("gzip").compress(f"x\n{n}\n".encode()), b"\x1f\x8bnone"),
    "parquet": ("table", _parquet, _parquet(0)[:40]),
    "mid": ("midi", _midi, b"MThd none"),
    "ts": ("ts", lambda n: f"@problemName x\n@classLabel true a b\n@data\n1,2,{n}:a\n".encode(), b"@data\n1,x:a\n"),
    "json": ("json", lambda n: f'[{{"x": {n}}}]'.encode(), b'[{"x": }]'),
    "npy": ("arrays", lambda n: _npy(np.arange(n, n + 3)), _npy(np.arange(9))[:90]),
    "npz": ("arrays", lambda n: _npz(x=np.arange(n, n + 3), y=np.float32(n)), _npz(x=np.arange(9))[:90]),
    "xlsx": ("excel", lambda n: workbook([["x"], [n]]), workbook([["x"]])[:300]),
    "arff": ("arff", lambda n: f"@relation r\n@attribute x numeric\n@data\n{n}\n".encode(), b"@data\n1\n"),
    "tsf": ("tsf", lambda n: f"@attribute name string\n@data\nT{n}:1,{n},3\n".encode(), b"@data\n1,x,3\n"),
    "mat": ("matlab", lambda n: _mat(x=np.arange(n, n + 3.0)), _mat(x=np.arange(9.0))[:150]),
    "h5": ("hdf5", lambda n: _hdf5(np.arange(n, n + 3)), _hdf5(np.arange(9))[:900]),
    "txt": ("text", lambda n: f"text {n}".encode(), b"caf\xe9"),
    "mp4": ("video", _video, b"none"),
}


def test_every_reader_is_here() -> None:
    assert {reader for reader, _, _ in FILES.values()} == ours("reader"), (
        "add a good and a broken file of the new reader to FILES"
    )


@pytest.mark.parametrize("ending", FILES)
def test_one_broken_file_is_listed_and_the_rest_is_read(ending: str, tmp_path: Path) -> None:
    _, good, broken = FILES[ending]
    (tmp_path / f"0.{ending}").write_bytes(broken)  # the first: what the others are compared with is another then
    (tmp_path / f"1.{ending}").write_bytes(b"")
    for number in range(2, 7):
        (tmp_path / f"{number}.{ending}").write_bytes(good(number))
    found = read(tmp_path)
    assert len(found) == 5
    (remark,) = found.remarks
    assert remark.startswith(f"2 of 7 files are left out: {tmp_path}/0.{ending}")
    assert f"; {tmp_path}/1.{ending}: is empty" in remark


@pytest.mark.parametrize("ending", FILES)
def test_a_folder_of_broken_files_alone_is_refused(ending: str, tmp_path: Path) -> None:
    reader, _, broken = FILES[ending]
    for number in range(3):
        (tmp_path / f"{number}.{ending}").write_bytes(broken)
    what = {"audio": "sound"}.get(reader, reader)
    with pytest.raises(DataError, match=rf"none of its 3 {what} files can be read; the first: .*/0\.{ending}"):
        read(tmp_path)


def test_training_says_what_is_left_out_of_each_split(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        (tmp_path / part).mkdir()
        for number in range(4):
            (tmp_path / part / f"{number}.txt").write_text(f"the text of number {number}")
        (tmp_path / part / "broken.txt").write_bytes(b"\xff")
    lines: list[str] = []
    valid = str(tmp_path / "valid")
    trained = ur.fit(tmp_path / "train", valid=valid, steps=1, hidden=2, out=tmp_path / "run", say=lines.append)
    (told,) = [line for line in lines if line.startswith("1 of 5 files are left out: ")]
    assert f"{tmp_path}/train/broken.txt: line 1, byte 1 of the file, 0xff, is not utf-8" in told
    (told,) = [line for line in lines if line.startswith("valid: 1 of 5 files are left out: ")]
    assert f"{tmp_path}/valid/broken.txt" in told
    assert "- valid: 1 of 5 files are left out: " in (tmp_path / "run" / "README.md").read_text("utf-8")
    assert trained.evaluate(valid)


def test_words_are_learned_from_the_rest_too(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text("a cat and a dog\n")
    (folder / "broken.txt").write_bytes(b"\xff")
    lines: list[str] = []
    embed(folder, tmp_path / "v.txt", min_count=1, epochs=1, size=2, say=lines.append)
    assert lines[0].startswith("1 of 4 files are left out: ")
