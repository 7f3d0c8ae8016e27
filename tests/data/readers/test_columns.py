from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from configs import data_config

from unrolled.data.config import DataConfig
from unrolled.data.readers import columns
from unrolled.data.readers.columns import read_columns
from unrolled.data.readers.reader import suffixes
from unrolled.data.tables.read import read
from unrolled.errors import DataError


def written(folder: Path, text: str, name: str = "a.conll") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def table(folder: Path, text: str, name: str = "a.conll") -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = read_columns(written(folder, text, name), DataConfig()).to_pydict()
    return found


WANTED = {"words": [["Redondo", "Beach", "is"], ["No"]], "tags": [["B-location", "I-location", "O"], ["O"]]}


@pytest.mark.parametrize(
    "text",
    [
        "Redondo\tB-location\nBeach\tI-location\nis\tO\n\nNo\tO\n",
        "Redondo B-location\nBeach   I-location\nis O\n\nNo O",
        "\n\nRedondo\tB-location\nBeach\tI-location\nis\tO\n\t\n \n\n\nNo\tO\n\n\n",
        "\ufeffRedondo\tB-location\r\nBeach\tI-location\r\nis\tO\r\n\r\nNo\tO\r\n",
        "-DOCSTART- O\n\nRedondo B-location\nBeach I-location\nis O\n-DOCSTART- O\nNo O\n",
        "# a remark about all of it\n#\n\n# text = Redondo\nRedondo\tB-location\nBeach\tI-location\nis\tO\n\n# two\nNo\tO\n",
    ],
    ids=["tabs", "blanks", "many empty lines", "from Windows", "documents", "remarks"],
)
def test_every_way_to_write_it_is_the_same(text: str, tmp_path: Path) -> None:
    assert table(tmp_path, text) == WANTED


def test_a_hash_is_a_token_where_it_looks_like_one(tmp_path: Path) -> None:
    assert table(tmp_path, "go O\n# O\n#party O\n\n#party B-x\n# O\n") == {
        "words": [["go", "#", "#party"], ["#party", "#"]],
        "tags": [["O", "O", "O"], ["B-x", "O"]],
    }


def test_columns_between_are_numbered_and_one_column_is_words(tmp_path: Path) -> None:
    four = table(tmp_path, "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n", "eng.iob")
    assert four == {
        "words": [["EU", "rejects"]],
        "column2": [["NNP", "VBZ"]],
        "column3": [["B-NP", "B-VP"]],
        "tags": [["B-ORG", "O"]],
    }
    assert table(tmp_path, "one\ntwo\n\nthree\n", "plain.bio") == {"words": [["one", "two"], ["three"]]}


def test_a_blank_within_a_field_of_tabs_stays(tmp_path: Path) -> None:
    assert table(tmp_path, "New York\tB-x\n\u00a0\tO\n10\u00a0000 \tO\n") == {
        "words": [["New York", "\u00a0", "10\u00a0000"]],
        "tags": [["B-x", "O", "O"]],
    }
    assert table(tmp_path, "10\u00a0000 O\n")["words"] == [["10\u00a0000"]]


def test_universal_dependencies(tmp_path: Path) -> None:
    lines = ["# sent_id = 1", "# text = vámonos al mar", "1-2\tvámonos" + "\t_" * 8]
    for number, (word, upos) in enumerate([("vamos", "VERB"), ("nos", "PRON"), ("al", "ADP")], 1):
        lines.append("\t".join([str(number), word, word, upos, "_", "_", "0", "root", "_", "_"]))
    lines.append("3.1\tnothing" + "\t_" * 8)
    found = table(tmp_path, "\n".join(lines), "es.conllu")
    assert list(found) == ["id", "words", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"]
    assert found["words"] == [["vamos", "nos", "al"]]
    assert found["upos"] == [["VERB", "PRON", "ADP"]]
    with pytest.raises(DataError, match=r"a\.conllu: line 1 has 2 fields, but CoNLL-U has 10, separated by tabs"):
        table(tmp_path, "a\tO\n", "a.conllu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tO\nb\n", r"a\.conll: line 2 has 1 field, but line 1 has 2 \(separate fields by tabs, sentences by empty lines\)"),
        ("# x\na O\n\nb c O\n", r"a\.conll: line 4 has 3 fields, but line 2 has 2 \(separate fields by blanks"),
        ("a\tO\n# in the midst\nb\tO\n", "line 2 has 1 field, but line 1 has 2"),
        ("a\tO\nb\t\n", r"a\.conll: line 2: field 2 is empty"),
        ("a\tO\n\tO\n", r"a\.conll: line 2: field 1 is empty"),
        ("\n \n# only this\n-DOCSTART- O\n", r"a\.conll: has no tokens \(write one on each line, followed by its label\)"),
        ("", r"a\.conll: is empty"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        table(tmp_path, text)


def test_a_byte_of_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_bytes("a\tO\ncafé\tO\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.conll: line 2, byte 8 of the file, 0xe9, is not utf-8"):
        read_columns(tmp_path / "a.conll", DataConfig())
    assert read_columns(tmp_path / "a.conll", data_config(text_encoding="latin-1"))["words"].to_pylist() == [
        ["a", "café"]
    ]


def test_it_is_found_by_its_suffix_and_has_words_and_labels(tmp_path: Path) -> None:
    text = "".join(f"word{n}\t{'B-x' if n % 3 else 'O'}\n{chr(10) * (n % 5 == 0)}" for n in range(60))
    for suffix in columns.MEMBER.suffixes:
        assert suffixes()[suffix] == "columns"
    found = read(written(tmp_path, text, "emerging.test.annotated"))
    assert found.kinds == {"words": "tokens", "tags": "category"}
    assert len(found) == 13


def test_long_files_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"w{n}\t{n % 2}\n{chr(10) * (n % 7 == 0)}" for n in range(100))
    whole = table(tmp_path, text)
    monkeypatch.setattr(columns, "_AT_ONCE", 3)
    assert table(tmp_path, text) == whole
    assert [n for row in whole["words"] for n in row] == [f"w{n}" for n in range(100)]
    assert pa.types.is_large_list(read_columns(tmp_path / "a.conll", DataConfig()).schema.field("words").type)
