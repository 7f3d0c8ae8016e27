from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from configs import data_config
from contracts.test_folders import FILES

from unrolled.data.readers.reader import READERS
from unrolled.data.tables.read import read
from unrolled.data.tables.recognition import reader_of_file, readers_of_folder
from unrolled.errors import DataError, UsageError

SURE = ("wav", "png", "parquet", "mid", "mp4", "ts")  # nothing else begins as these do


def written(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize("ending", FILES)
def test_the_suffix_says_it_where_the_content_agrees(ending: str, tmp_path: Path) -> None:
    name, good, _ = FILES[ending]
    choice = reader_of_file(written(tmp_path / f"a.{ending}", good(1)), data_config())
    assert (choice.reader, choice.remark) == (name, "")


@pytest.mark.parametrize("suffix", [".csv", ".txt", "", ".dat"])
@pytest.mark.parametrize("ending", SURE)
def test_the_content_counts_more_than_the_suffix_and_it_is_said(ending: str, suffix: str, tmp_path: Path) -> None:
    name, good, _ = FILES[ending]
    choice = reader_of_file(written(tmp_path / f"a{suffix}", good(1)), data_config())
    assert choice.reader == name
    if (ending, suffix) != ("parquet", ".csv"):  # one reader has both
        assert choice.remark == f"a{suffix} is read as {name}, as its content shows (format chooses another format)"


@pytest.mark.parametrize(
    ("data", "reader"),
    [
        ("day,load\nMon,3.5\nTue,4.0\n", "table"),
        ('{"x": 1}\n{"x": 2}\n', "table"),
        ("Ann B-PER\nruns O\n\nSo O\n", "columns"),
        (">one\nACGTACGTAC\n>two\nACGTTTTT\n", "fasta"),
        ("@one\nACGT\n+\nIIII\n", "fasta"),
        ("X:1\nT:Air\nK:G\nGABc|\n", "abc"),
        ("> he said\nI know\n", "text"),
        ("Hello, world.\nGoodbye, moon.\n", "text"),
    ],
)
def test_a_vague_suffix_leaves_it_to_the_content(data: str, reader: str, tmp_path: Path) -> None:
    assert reader_of_file(written(tmp_path / "a.txt", data), data_config()).reader == reader


@pytest.mark.parametrize(
    ("name", "reader"),
    [("csv", "table"), ("json", "json"), ("conll", "columns"), ("CONLL", "columns"), ("text", "text")],
)
def test_a_format_is_a_reader_or_a_suffix(name: str, reader: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.xyz", "some text, perhaps\n")
    if reader in READERS:
        assert reader_of_file(path, data_config(format=name)).reader == reader
        assert readers_of_folder([path], data_config(format=name)) == {path: reader}


def test_a_format_that_is_not_known_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "x\n1\n")
    with pytest.raises(UsageError, match="there is no format 'cvs'. Did you mean 'csv'?"):
        reader_of_file(path, data_config(format="cvs"))


def test_where_two_formats_are_likely_the_user_is_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "pairs.txt", "Hi.\tHallo!\nGo.\tGeh!\nRun!\tLauf!\n")
    wanted = "may hold a table or a text: give format table, with header if .*, or format text"
    with pytest.raises(UsageError, match=wanted):
        reader_of_file(path, data_config())


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", b"<!DOCTYPE html><html>", r"a\.csv: is a web page .* \(download the data itself\)"),
        ("a.csv", b'<table border="1">\n <tr>', "is a web page"),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\n", r"is a Git LFS pointer.*git lfs pull"),
        ("a.pkl", b"\x80\x04\x95\0\0", "is a Python pickle"),
        ("a.csv", b"%PDF-1.4\n", "is a PDF document"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Office document"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0", "is a HEIC or AVIF picture; it cannot be read"),
        ("a.csv.gz", gzip.compress(b"<html><body>", mtime=0), "is a web page"),
        ("a.xyz", b"what is this?", r"its suffix '.xyz' does not name a known format"),
        ("nothing", b"what is this?", r"its name does not end in the suffix of a known format"),
    ],
)
def test_what_no_reader_takes_is_named(name: str, data: bytes, expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=expected):
        reader_of_file(written(tmp_path / name, data), data_config())


def test_the_source_of_a_web_page_can_be_a_text(tmp_path: Path) -> None:
    path = written(tmp_path / "page.md", "<html>\n")
    assert reader_of_file(path, data_config()).reader == "text"
    path = written(tmp_path / "page.html", "<html>\n")
    assert reader_of_file(path, data_config(format="text")).reader == "text"


def test_a_path_with_a_slip_is_guessed(tmp_path: Path) -> None:
    written(tmp_path / "reviews.csv", "x\n1\n")
    with pytest.raises(
        DataError, match=r"reviews\.cvs: there is no such file or folder \(did you mean '.*reviews\.csv'\?"
    ):
        reader_of_file(tmp_path / "reviews.cvs", data_config())


def test_in_a_folder_the_first_files_of_a_vague_suffix_speak_for_all(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.txt", f">r{n}\nACGTACGTACGT\n") for n in range(8)]
    odd = written(tmp_path / "LICENSE", "Free as in speech\n")
    song = written(tmp_path / "song", FILES["wav"][1](1))
    assert readers_of_folder([*files, odd, song], data_config()) == {
        **dict.fromkeys(files, "fasta"),
        odd: None,
        song: "audio",
    }
    files[0].write_text("> he said\nthe first of these is a text\n")
    assert set(readers_of_folder(files, data_config()).values()) == {"text"}


@pytest.mark.parametrize("name", ["train.txt", "train.tsv", "eng.train", "a.conll"])
def test_names_of_columns_keep_sentences_together(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("Anna\tB-PER\nruns\tO\n\nSo\tO\n\n")
    found = read(tmp_path / name, data_config(header=("token", "entity")))
    assert found.table.to_pydict() == {"token": [["Anna", "runs"], ["So"]], "entity": [["B-PER", "O"], ["O"]]}
    (tmp_path / name).write_text("good film\tpos\nbad film\tneg\n")
    if not name.endswith(".conll"):
        assert len(read(tmp_path / name, data_config(header=("text", "label")))) == 2


def test_of_a_folder_that_may_hold_tables_or_texts_it_is_asked(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{n}.txt", "".join(f"{k} {k / 2}\n" for k in range(9))) for n in range(3)]
    with pytest.raises(UsageError, match=rf"{tmp_path} may hold a table or a text: give format table"):
        readers_of_folder(files, data_config())
    assert set(readers_of_folder(files, data_config(format="text")).values()) == {"text"}
    written(files[0], "This one is a text.\n")
    assert set(readers_of_folder(files, data_config()).values()) == {"text"}


def test_of_a_pair_of_texts_both_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "train.en", "It goes.\nSo it does.\n")
    written(tmp_path / "train.de", "Es geht.\nSo ist es.\n")
    wanted = rf"if the lines of train.de and train.en belong together, give {tmp_path}/train.de,{tmp_path}/train.en"
    with pytest.raises(DataError, match=wanted):
        reader_of_file(path, data_config())
