from __future__ import annotations

from pathlib import Path

import pytest

from unrolled import registry
from unrolled.data.readers import reader
from unrolled.data.readers.reader import READERS, Reader, reader_of, suffixes
from unrolled.errors import UsageError


def test_every_reader_says_which_files_it_reads() -> None:
    known = suffixes()
    assert set(known.values()) == set(READERS.names())
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in known)
    assert all(isinstance(member, Reader) for member in READERS.members().values())


def test_a_file_that_only_helps_begins_with_an_underscore() -> None:
    files = {file.stem for file in Path(reader.__file__).parent.glob("[a-z]*.py")}
    assert files - set(READERS.names()) == {"reader"}


def test_two_readers_of_one_suffix_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    registry.register("reader", "words", Reader((".txt",), READERS.get("text").read))
    with pytest.raises(UsageError, match="the readers 'text' and 'words' both read .txt files"):
        suffixes()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.TXT", "text"),
        ("a.csv.gz", "table"),
        ("a.fa.gz", "fasta"),
        ("a.gz", None),
        ("a.tar.txt", "text"),
        ("a", None),
    ],
)
def test_the_end_of_its_name_tells_the_reader_of_a_file(name: str, wanted: str | None) -> None:
    assert reader_of(Path("folder.csv", name), suffixes()) == wanted
