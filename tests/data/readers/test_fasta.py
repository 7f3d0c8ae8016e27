"""FASTA and FASTQ: what is read, what is left aside, and what is refused."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from configs import data_config

from unrolled.data.config import DataConfig
from unrolled.data.io import unpacking
from unrolled.data.readers.fasta import read_fasta
from unrolled.data.tables.read import read
from unrolled.errors import DataError, MissingExtra

FASTA = b">one a first\nACGT\nAC\n\n> two\nGG\n#remark\n"
FASTQ = b"@one\nACG\n+\n!I~\n@two\nG\n+two\n#\n"


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix.lower() == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["reads.fa", "reads.FASTA", "reads.fna.gz", "reads.faa"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_fasta_record_is_a_row(tmp_path: Path, name: str, ends: bytes) -> None:
    table = read_fasta(written(tmp_path / name, FASTA.replace(b"\n", ends)), DataConfig())
    assert table.to_pydict() == {"name": ["one a first", "two"], "file": ["reads"] * 2, "sequence": ["ACGTAC", "GG"]}


@pytest.mark.parametrize("name", ["reads.fq", "a.b.fastq.GZ"])
def test_fastq_has_the_quality_of_each_letter(tmp_path: Path, name: str) -> None:
    table = read_fasta(written(tmp_path / name, FASTQ), DataConfig())
    assert table.column_names == ["name", "file", "sequence", "quality"]
    assert table.column("sequence").to_pylist() == ["ACG", "G"]
    assert table.column("quality").to_pylist() == [[0, 40, 93], [2]]
    assert table.column("file")[0].as_py() == name.lower().removesuffix(".gz").rpartition(".")[0]


def test_names_are_not_learned_from_and_files_only_where_they_are_asked_for(tmp_path: Path) -> None:
    written(tmp_path / "yes.fa", FASTA)
    written(tmp_path / "no.fa.gz", FASTA)
    plain = read(tmp_path)
    assert plain.kinds == {"sequence": "symbols"}
    assert plain.notes == (
        "'name' is left out: it names the record",
        "'file' is left out: it names the file the record is from",
    )
    asked = read(tmp_path, data_config(target=("file",)))
    assert asked.kinds == {"file": "category", "sequence": "symbols"}
    assert asked.table.column("file").to_pylist() == ["no", "no", "yes", "yes"]
    assert read(tmp_path, timed={"file": False, "sequence": True}).kinds.keys() == {"file", "sequence"}
    assert read(tmp_path, data_config(kinds={"name": "tokens", "sequence": "tokens"})).kinds == {
        "name": "tokens",
        "sequence": "tokens",
    }


BAD = b">x\nACGTACGTAC\n>y z\nACGT\nACE\n"
LETTERS = "its letters are ACGTRYSWKMBDHVN-; correct it, or give kinds sequence=tokens"


def test_a_bad_letter_is_named_by_file_record_and_place(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fa", BAD)
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}, row 2, column 'sequence': letter 7 of 'y z' is 'E', which is not DNA ({LETTERS})"
    )
    assert read(path, data_config(kinds={"sequence": "tokens"})).kinds == {"sequence": "tokens"}


def test_a_bad_letter_beyond_the_first_megabyte_is_named_by_its_place(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fa", b">x\nAC\n>y\n" + b"ACGT" * 300_000 + b"E\n")
    with pytest.raises(DataError, match="row 2, column 'sequence': letter 1200001 of 'y' is 'E', which is not DNA"):
        read(path)


def test_a_file_of_other_letters_than_its_folder_is_left_out_and_listed(tmp_path: Path) -> None:
    for number in range(3):
        written(tmp_path / f"{number}.fa", b">x\n" + b"ACGT" * 30 + b"\n>n\nACN\n")
    written(tmp_path / "bad.fa", BAD)
    written(tmp_path / "protein.fa", b">p\nMKLVEEGHW\n")  # alone it would be protein, in this folder it is no DNA
    written(tmp_path / "reads.fq", FASTQ)
    found = read(tmp_path)
    assert found.table.column("file").unique().to_pylist() == ["0", "1", "2"]
    assert found.remarks == (
        f"3 of 6 files are left out: {tmp_path}/bad.fa, row 2, column 'sequence': letter 7 of 'y z' is 'E', which is not "
        f"DNA ({LETTERS}); {tmp_path}/protein.fa, row 1, column 'sequence': letter 3 of 'p' is 'L', which is not DNA "
        f"({LETTERS}); {tmp_path}/reads.fq: does not have the same columns as 0.fa: quality",
    )
    (only := tmp_path / "only").mkdir()
    written(only / "bad.fa", BAD)
    with pytest.raises(DataError, match=r"none of its 1 fasta files can be read; the first: .*bad\.fa, row 2, column"):
        read(only)


def test_later_data_is_held_to_the_alphabet_of_its_model(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fa", b">x\nGATTACAGATTACAL\n")  # of proteins, although it looks like DNA
    with pytest.raises(DataError, match="letter 15 of 'x' is 'L', which is not DNA"):
        read(path)
    assert len(read(path, alphabet="protein")) == 1
    with pytest.raises(DataError, match="letter 3 of 'x' is 'T', which is not RNA"):
        read(path, alphabet="RNA")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.fa", b"ACGT\n", "row 1: is not FASTA: Expected '>' at beginning of record, but got 'ACGT', line 1"),
        ("a.fa", b"\n\n", "has no records"),
        ("a.fa", b"", "is empty"),
        ("a.fa", b">a\nA\xffC", "0xff"),
        ("a.fq", b"@a\nAC\n+\nII\n@b\nAC", "row 2: is not FASTQ: Premature end of file encountered"),
        ("a.fq", b"@a\nAC\n+\nI\n", "row 1: is not FASTQ: Length of sequence and qualities differ, line 4"),
        ("a.fq", b"@a\nAC\n+\nII\n@b\nACG\n+\nI\x19I\n", "row 2, column 'quality': place 2: '\\x19' is not a quality"),
        ("a.fq", ">ä\nAC\n".encode(), "is not FASTQ: "),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_place(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = written(tmp_path / name, data)
    with pytest.raises(DataError) as caught:
        read_fasta(path, DataConfig())
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_gzip_and_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.fa.gz", FASTA)
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(DataError, match=rf"{path}: is not a whole gzip file: "):
        read_fasta(path, DataConfig())
    monkeypatch.setattr(unpacking, "_UNPACKED_FLOOR", 2 << 20)
    bomb = written(tmp_path / "bomb.fq.gz", b"@a\n" + b"A" * (3 << 20))
    with pytest.raises(DataError, match=rf"{bomb}: unpacks to more than 2 MiB, the limit for a file"):
        read_fasta(bomb, DataConfig())


def test_dnaio_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "dnaio" else find(name, *a))
    with pytest.raises(MissingExtra, match=r"FASTA needs dnaio: pip install 'unrolled\[bio\]'"):
        read_fasta(written(tmp_path / "a.fa", FASTA), DataConfig())


FUZZ = """
import random, resource, sys
from pathlib import Path

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import Role
from unrolled.data.encodings.symbols import Symbols
from unrolled.data.tables.read import read
from unrolled.errors import DataError

resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (600, 600))
path, rounds = Path(sys.argv[1]), int(sys.argv[2])
whole, dice, refused = path.read_bytes(), random.Random(0), 0
for _ in range(rounds):
    data = bytearray(whole)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data))
        match dice.randrange(3):
            case 0:
                data[at] = dice.choice([0, 10, 13, 62, 64, 43, 255, dice.randrange(256)])
            case 1:
                del data[at : at + dice.randrange(1, 9)]
            case 2:
                data[at:at] = dice.choice([b">", b"@", b"+", b"\\n", b"\\r", b"\\xff", b"ACGT" * 40])
    path.write_bytes(data)
    try:
        sequences = read(path)
        column, where = sequences.column("sequence"), sequences.where("sequence")
        Symbols.fit(column, Symbols.Options(), Role(), where).encode(column, where)
        sequences.table.to_pylist()
    except DataError as error:
        refused += 1
        assert str(error).startswith(str(path)) and "\\n" not in str(error), str(error)
print("alive", refused)
"""


@pytest.mark.soak
@pytest.mark.parametrize("name", ["a.fa", "a.fq", "a.fa.gz"])
def test_mutated_files_are_read_or_refused_in_a_sentence(
    tmp_path: Path, name: str, times: Callable[[int, int], int]
) -> None:
    records = [(f"r{k}", "ACGTNACGGT"[k:] * 7) for k in range(6)]
    if ".fq" in name:
        data = "".join(f"@{name}\n{letters}\n+\n{'I' * len(letters)}\n" for name, letters in records)
    else:
        data = "".join(f">{name}\n{letters[:40]}\n{letters[40:]}\n" for name, letters in records)
    path = written(tmp_path / name, data.encode())
    done = warm.run(FUZZ, path, times(300, 10_000))
    assert done.returncode == 0, done.stderr[-800:]
    assert int(done.stdout.removeprefix("alive ")) > 50


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ("ACGTACGTAC GTACGTACGT", "letter 11 of 'a' is a blank, which is not DNA (remove the blanks and numbers"),
        ("1 ACGTACGTAC 11 GTACGTACGT", "letter 1 of 'a' is the digit 1, which is not DNA (remove the blanks"),
    ],
)
def test_blanks_and_numbers_between_the_letters_are_named(sequence: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(written(tmp_path / "a.fa", f">a\n{sequence}\n".encode()))
    assert message in str(caught.value)


def test_qualities_of_the_old_scale_are_said(tmp_path: Path) -> None:
    old, new = (b"@a\nACGTA\n+\n" + quality + b"\n" for quality in (b"hhfBB", b"IIF##"))
    (remark,) = read(written(tmp_path / "old.fq", old)).remarks
    assert remark.startswith("the qualities look like those of Illumina 1.3 to 1.7, which are 31 higher")
    assert read(written(tmp_path / "new.fq", new)).remarks == ()
    assert read(tmp_path).remarks == (remark,)
