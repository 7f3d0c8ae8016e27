"""Normal forms, with texts that look alike and are not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import unrolled as ur
from unrolled.data.encodings._normal import normal_text, normal_texts
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.tokens import Tokens
from unrolled.errors import DataError

WHERE = Where("plays", "text")
# As written, and in NFC and NFKC: from the Unicode Standard Annex #15, its tables and figures.
ODDITIES = [
    ("e\u0301", "é", "é"),
    ("\u212b", "Å", "Å"),  # the angstrom sign
    ("\ufb01", "\ufb01", "fi"),
    ("2\u2075", "2\u2075", "25"),
    ("\u1e9b\u0323", "\u1e9b\u0323", "ṩ"),
    ("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307"),  # marks in their order
    ("\u1112\u1161\u11ab", "한", "한"),
    ("\uff21\uff22", "\uff21\uff22", "AB"),  # full width
    ("\U0001d49c", "\U0001d49c", "A"),
    ("\u0958", "क\u093c", "क\u093c"),  # never composed again
    ("👩🏽‍💻", "👩🏽‍💻", "👩🏽‍💻"),
]


@pytest.mark.parametrize(("text", "nfc", "nfkc"), ODDITIES)
def test_forms(text: str, nfc: str, nfkc: str) -> None:
    assert (normal_text(text, "none"), normal_text(text, "nfc"), normal_text(text, "nfkc")) == (text, nfc, nfkc)
    column = pa.array(["plain", None, text])
    assert normal_texts(column, "nfkc").to_pylist() == ["plain", None, nfkc]
    assert normal_texts(column, "none") is column
    assert normal_texts(column[:2], "nfc").to_pylist() == ["plain", None]


@pytest.mark.parametrize("level", ["characters", "bpe", "words"])
@pytest.mark.parametrize("form", ["none", "nfc", "nfkc"])
def test_a_text_is_read_in_its_normal_form_at_once_and_live(level: str, form: str) -> None:
    texts = [text for text, _, _ in ODDITIES]
    options = Tokens.Options(tokens=level, normalise=form)  # type: ignore[arg-type]
    tokens = Tokens.fit(pa.chunked_array([texts]), options, Role(), WHERE)
    for text in texts:
        encoded = tokens.encode(pa.chunked_array([[text]]), WHERE).values
        assert encoded.tolist() == tokens.encode_text(text).tolist()
        if level != "words":
            assert tokens.decode(encoded) == normal_text(text, form)  # type: ignore[arg-type]
    composed, apart = tokens.encode_text("é"), tokens.encode_text("e\u0301")
    assert (composed.tolist() == apart.tolist()) == (form != "none")
    assert Tokens.from_config(tokens.to_config()).normal == form


def test_bytes_are_as_they_are_and_items_are_normal_too() -> None:
    column = pa.chunked_array([["e\u0301"]])
    tokens = Tokens.fit(column, Tokens.Options(tokens="bytes"), Role(), WHERE)
    assert tokens.decode(tokens.encode(column, WHERE).values) == "e\u0301"
    lists = Tokens.fit(pa.chunked_array([[["é"]]]), Tokens.Options(), Role(), WHERE)
    assert lists.encode(pa.chunked_array([[["e\u0301", None, "x"]]]), WHERE).values.tolist() == [3, 0, 0]
    assert lists.encode_live("e\u0301", (), WHERE)[0][0] == 3


def test_a_prompt_is_read_as_training_was(tmp_path: Path) -> None:
    texts = {"text": ["été et café"] * 8}
    model = ur.fit(texts, steps=1, hidden=2, out=tmp_path / "nfc")
    assert model.writer().unseen("e\u0301te\u0301") == []
    assert len(list(model.generate(prompt="e\u0301", length=3))) <= 3
    raw = ur.fit(texts, steps=1, hidden=2, normalise="none", out=tmp_path / "none")
    with pytest.raises(DataError, match="the model never saw '\u0301' in training"):
        raw.generate(prompt="e\u0301")
