from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
import warm
from configs import data_config
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.config import DataConfig
from unrolled.data.io import mapped, utf8
from unrolled.data.readers.text import read_text
from unrolled.errors import DataError


def texts(path: Path, data: bytes, **options: object) -> list[str]:
    path.write_bytes(data)
    return read_text(path, data_config(**options))["text"].to_pylist()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.txt"


ODD = "a\x85b\u2028c\x0cd\x1ce\rf \U0001f3b5 e\u0301 \0 " + unicodedata.normalize("NFC", "e\u0301")


def test_only_newlines_end_lines_and_nothing_else_changes(path: Path) -> None:
    data = f"{ODD}\n\nlast".encode()
    assert texts(path, data) == [f"{ODD}\n\nlast"]
    assert texts(path, data, rows_are="lines") == [ODD, "", "last"]
    assert texts(path, data + b"\n", rows_are="lines") == [ODD, "", "last"]


def test_crlf_becomes_lf_and_the_mark_is_dropped(path: Path) -> None:
    data = b"\xef\xbb\xbfa\r\n\rb\r\r\n\r"
    assert texts(path, data) == ["a\n\rb\r\n\r"]
    assert texts(path, data, rows_are="lines") == ["a", "\rb\r", "\r"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1"])
def test_encodings(path: Path, encoding: str) -> None:
    text = "café\nnaïve £" if encoding in ("cp1252", "latin-1") else ODD
    assert texts(path, text.encode(encoding), text_encoding=encoding) == [text]


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (b"ab\ncaf\xe9\n", "utf-8", "line 2, byte 7 of the file, 0xe9, is not utf-8 (try text_encoding latin-1"),
        (b"\xc3", "utf-8", "line 1, byte 1 of the file, 0xc3, is not utf-8"),
        (b"\xed\xa0\x80", "utf-8", "line 1, byte 1 of the file, 0xed, is not utf-8"),
        (b"\x89PNG\r\n\x1a\n\0", "utf-8", "line 1, byte 1 of the file, 0x89, is not utf-8"),
        (b"ab\n\x81", "cp1252", "line 2, byte 4 of the file, 0x81, is not cp1252 (set the right text_encoding)"),
        (b"\xff\xfea", "utf-8", "line 1, byte 3 of the file, 0x61, is not utf-16 (set the right text_encoding)"),
        (b"a\0\n\0b", "utf-16-le", "line 2, byte 5 of the file"),
        (b"", "utf-8", "is empty"),
        (b"\xef\xbb\xbf", "utf-8", "is empty except for its byte-order mark"),
    ],
)
def test_bad_bytes_are_named(path: Path, data: bytes, encoding: str, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        texts(path, data, text_encoding=encoding)
    assert f"{path}: {expected}" in str(caught.value)


def test_a_bad_byte_far_down(path: Path) -> None:
    with pytest.raises(DataError, match="line 300001, byte 600003 of the file, 0xff"):
        texts(path, b"a\n" * 300_000 + "é".encode() + b"\xff")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.integers(1, 5))
def test_pieces_do_not_show(text: str, size: int) -> None:
    """Whatever the borders between the pieces that are in memory at a time."""
    import pyarrow as pa

    before, utf8.CHUNK = utf8.CHUNK, size
    try:
        data = text.encode("utf-8", "replace")
        buffer = utf8.unix_lines(utf8.to_utf8(pa.py_buffer(data), "utf-8", "t"))
        wanted = data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
        assert buffer.to_pybytes().decode() == wanted
        if wanted:
            assert utf8.split_lines(buffer).to_pylist() == wanted.removesuffix("\n").split("\n")
        wide = utf8.to_utf8(pa.py_buffer(data.decode().encode("utf-16")), "utf-16", "t")
        assert wide.to_pybytes().decode() == data.decode().removeprefix("\ufeff")
    finally:
        utf8.CHUNK = before


def test_names_and_things_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "dangling.txt").symlink_to("nowhere.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    for name, expected in [
        ("none.txt", "there is no such file"),
        ("loop.txt", "cannot be read: Too many levels of symbolic links"),
        ("dangling.txt", "there is no such file"),
        ("pipe.txt", "is neither a file nor a folder"),
        ("a\0b.txt", "cannot be read: embedded null byte"),
        ("x" * 300 + ".txt", "cannot be read: File name too long"),
    ]:
        with pytest.raises(DataError, match=expected):
            read_text(tmp_path / name, DataConfig())


def test_a_large_file_takes_no_memory(tmp_path: Path) -> None:
    """A gigabyte behaves as these 96 MiB do: the text is mapped, whether it is clean or has to be rewritten first."""
    (tmp_path / "clean.txt").write_bytes(b"all work and no play " * (4 << 20))
    (tmp_path / "crlf.txt").write_bytes(b"all work and no play\r\n" * (4 << 20))
    (tmp_path / "latin.txt").write_bytes(b"\xe9ll work and no play\n" * (4 << 20))
    script = tmp_path / "read.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from unrolled.data.config import DataConfig\n"
        "from unrolled.data.readers.text import read_text\n"
        "def anonymous():\n"
        "    line = next(l for l in open('/proc/self/status') if l.startswith('RssAnon'))\n"
        "    return int(line.split()[1]) << 10\n"
        "before = anonymous()\n"
        "root = Path(sys.argv[1])\n"
        "def config(encoding, rows_are):\n"
        "    return DataConfig(text_encoding=encoding, own={'reader.text': {'rows_are': rows_are}})\n"
        "tables = [read_text(root / f'{name}.txt', config(encoding, rows_are))\n"
        "          for name, encoding in [('clean', 'utf-8'), ('crlf', 'utf-8'), ('latin', 'latin-1')]\n"
        "          for rows_are in (['files'] if name == 'latin' else ['files', 'lines'])]\n"
        "print(sum(len(t['text'].chunk(0)[0].as_buffer()) for t in tables[:1]), anonymous() - before)\n"
    )
    done = warm.run(script.read_text("utf-8"), tmp_path)
    assert done.returncode == 0, done.stderr[-500:]
    size, grown = map(int, done.stdout.split())
    offsets = 8 * (4 << 20) * 3  # one number a line, as they are, and while they are made
    assert size == 21 * (4 << 20) and grown < 24 * mapped.CHUNK + offsets
