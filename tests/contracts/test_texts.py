"""What a model writes is ordinary text: ``decode(encode(text)) == text`` at every level, for texts of known tokens.

Every encoding with the facet `Text` is met here unasked, at each level that its option ``tokens`` offers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings.encoding import ENCODINGS, Role, Where
from unrolled.data.encodings.facets import Text
from unrolled.data.encodings.tokens import Tokens

WHERE = Where("plays", "text")
TEXTS = [
    'Two men, in Paris: "it\'s 3.50 $" (well-known)!',
    "  two  blanks before,  between and behind  ",
    "a , b .\ttab\r\nline\n\n",
    "NBSP\u00a0and\u2009thin\u3000wide \u2028 \x85 signs",
    "👩‍👩‍👧 👍🏽👍🏽 1️⃣ 🇩🇪😀word",
    "e\u0301te\u0301 nai\u0308ve",
    "été naïve ﬁ ²",
    "中文没有空格。日本語も、ない",
    "<unk> <unknown> <begin>x<end> [UNK] ▁ Ġ ĉ ##s @user https://a.b/c?d=1.",
    "",
    " ",
    "\x00\x1f\ufeff\U0010fffd\ue000",
    "O'Neill’s “quote” ‘x’ 'y' -- — a_b",
]
LEVELS = ("characters", "words", "bpe", "bytes", "file")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    level = Tokens.fit(pa.chunked_array([TEXTS]), Tokens.Options(tokens="bpe"), Role(), WHERE).level  # type: ignore[arg-type]
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(level.to_tokenizer("none", framed=False), "utf-8")  # type: ignore[union-attr]
    return path


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_texts_come_back_exactly(level: str, framed: bool, file: Path) -> None:
    column = pa.chunked_array([TEXTS])
    asked = str(file) if level == "file" else level
    fitted: Any = Tokens.fit(column, Tokens.Options(tokens=asked), Role(framed=framed), WHERE)
    stored = Tokens.from_config(json.loads(json.dumps(fitted.to_config())))
    for tokens in (fitted, stored):
        encoded = tokens.encode(column, WHERE)
        found = np.split(encoded.values, encoded.offsets[1:-1])
        assert [tokens.decode(row) for row in found] == TEXTS
        for row, text in zip(found, TEXTS, strict=True):
            add = tokens.decode_stream()
            assert "".join(add(id_) for id_ in row.tolist()) == text
            assert tokens.encode_text(text).tolist() == (row[:-1] if framed else row).tolist()
            assert tokens.unseen(text) == []


def test_each_part_of_a_text_goes_on_after_the_other(file: Path) -> None:
    """A prompt and what is written after it make one text, with no blank lost or added."""
    for level in ("characters", "words", "bpe", "bytes", str(file)):
        column = pa.chunked_array([["to be , or not", "to be, or", " not to be"]])
        tokens: Any = Tokens.fit(column, Tokens.Options(tokens=level), Role(), WHERE)
        for prompt, rest in (("to be ", "or"), ("to be", ", or"), ("", "to be"), ("to", " be")):
            if level == "words" and rest.startswith(" "):
                continue  # a word brings its own blank
            add = tokens.decode_stream(prompt)
            assert prompt + "".join(add(id_) for id_ in tokens.encode_text(rest).tolist()) == prompt + rest


@pytest.mark.parametrize("kind", ENCODINGS.names())
def test_every_encoding_of_texts_gives_them_back_by_default(kind: str) -> None:
    member = ENCODINGS.get(kind)
    column = pa.chunked_array([["ACGT", "GATTACA"]])
    if not member.traits.text or not member.recognises(column):
        return
    encoding = member.fit(column, member.Options(), Role(framed=True), WHERE)
    assert isinstance(encoding, Text)
    encoded = encoding.encode(column, WHERE)
    rows = np.split(encoded.values, encoded.offsets[1:-1])
    assert [encoding.decode(row) for row in rows] == ["ACGT", "GATTACA"]
