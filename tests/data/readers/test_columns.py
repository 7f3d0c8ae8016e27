from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from configs import data_config

from unrolled.data.config import DataConfig
from unrolled.data.io.field_marks import answer_of
from unrolled.data.readers import columns
from unrolled.data.readers._column_parts import like_sentences
from unrolled.data.readers.columns import read_columns
from unrolled.data.readers.reader import suffixes
from unrolled.data.tables.read import read
from unrolled.errors import DataError, UsageError


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


def marks(folder: Path, text: str, name: str = "a.conll", **options: object) -> tuple[list[str], str, str]:
    """The names of the columns, the one that is asked for, and why."""
    schema = read_columns(written(folder, text, name), data_config(**options)).schema
    asked = answer_of(schema)
    assert asked is not None
    return schema.names, *asked


TAGGED = "Anna {0}B-PER\nwent {0}O\nto {0}O\nRome {0}B-LOC\n\nBob {0}B-PER\nsaw {0}O\nher {0}O\n\n"


@pytest.mark.parametrize(
    ("text", "names", "asked"),
    [
        (TAGGED.format(""), ["words", "tags"], "tags"),
        (TAGGED.format("NN I-NP "), ["words", "column2", "column3", "tags"], "tags"),  # a chunk with one label
        (TAGGED.format("NN B-NP ").replace("went NN B-NP", "went NN B-VP"), ["words", "column2", "column3", "tags"], "tags"),
        ("1\tAnna\tB-PER\tO\n2\tCity\tI-PER\tB-PER\n\n1\tis\tO\tO\n2\tRome\tB-LOC\tO\n\n", ["index", "words", "column3", "tags"], "column3"),
        ("B-PER\tAnna\nO\twent\n\nO\tout\n", ["tags", "words"], "tags"),
        ("Anna\tNNP\nwent\tVBD\n\nBob\tNNP\n", ["words", "tags"], "tags"),
        ("7\tNUM\n8\tNUM\n9\tX\n", ["words", "tags"], "tags"),  # words may be numbers
    ],
    ids=["two", "one chunk", "chunks", "numbered, two layers", "tag first", "parts of speech", "numbers"],
)  # fmt: skip
def test_the_words_and_the_label_are_found(text: str, names: list[str], asked: str, tmp_path: Path) -> None:
    assert marks(tmp_path, text)[:2] == (names, asked)


def test_a_treebank_is_known_without_its_suffix(tmp_path: Path) -> None:
    line = "{0}\t{1}\t{1}\t{2}\t_\t_\t0\troot\t_\t_\n"
    text = line.format(1, "dogs", "NOUN") + line.format(2, "bark", "VERB")
    names, asked, why = marks(tmp_path, text, "train.iob")
    assert (names[:4], asked, why) == (["id", "words", "lemma", "upos"], "upos", "it holds parts of speech")
    found = read(written(tmp_path, text, "a.conllu"))
    assert "id" not in found.kinds and [name for name in found.kinds if not found.annotates(name)] == ["words"]


def test_a_header_names_the_columns(tmp_path: Path) -> None:
    names, asked, _ = marks(tmp_path, TAGGED.format("NN "), header=("token", "pos", "ner"))
    assert (names, asked) == (["token", "pos", "ner"], "ner")
    with pytest.raises(UsageError, match=r"header gives 1 name, but a line of .*a\.conll has 2 fields"):
        marks(tmp_path, TAGGED.format(""), header=("token",))


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        (TAGGED.format(""), 100),
        (TAGGED.format("").replace(" ", "\t"), 100),
        ("-DOCSTART- -X- O O\n\n" + TAGGED.format("NN I-NP "), 100),
        ("# sent_id = 1\n" + "\t".join(["1", "dogs", "dog", "NOUN", "_", "_", "0", "root", "_", "_"]) + "\n\n", 100),
        ("Anna S-PER\nin O\nNew B-LOC\nYork E-LOC\n", 60),  # one sentence
        (TAGGED.format("").replace("went O", "went"), 100),  # its reader names the line
        ("The DT\ndog NN\n\nA DT\ncat NN\n\nThe DT\nman NN\n\n", 100),
        ("text\tlabel\ngood film\tpos\nbad film\tneg\n", 0),
        ("word,tag\nAnna,B-PER\nwent,O\n", 0),
        ("to be or\nnot to be\n\nthat is the\n\nquestion for us\n", 0),
        ("one\ntwo\n\nthree\n", 0),
        ("1\t2\n3\t4\n", 0),
        ("", 0),
        ("\n\n\n", 0),
        ("a single line without an end", 0),
    ],
)
def test_a_column_file_is_known_by_its_content(text: str, sure: int) -> None:
    assert like_sentences(text.splitlines()) == sure
