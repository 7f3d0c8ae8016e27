"""Words that keep case and blanks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.encodings._written_words import WrittenWords, split_written


def split(text: str, before: str = "") -> list[str]:
    words, counts = split_written(pa.array([text]), before)
    assert counts.tolist() == [len(words)]
    return words.to_pylist()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("To be, or not.", ["To", "be", ",", "or", "not", "."]),
        ("a , b", ["a", " ", ",", "b"]),
        ("3.5", ["3", ".", "", "5"]),
        ("a  b\n", ["a", " ", " ", "b", "\n"]),
        (" a", [" ", "a"]),
        ("(a) well-known", ["(", "a", ")", "well", "-", "known"]),
        ("l'été e\u0301\u00a0x", ["l", "'", "été", "e\u0301", "\u00a0", "x"]),
        ("<unknown> 👩‍👩‍👧", ["<", "", "unknown", "", ">", "👩‍👩‍👧"]),
        ("中文，好", ["中文", "", "，", "", "好"]),
    ],
)
def test_only_unexpected_blanks_are_tokens(text: str, tokens: list[str]) -> None:
    assert split(text) == tokens


@given(texts=st.lists(st.text("aB,.('-\" \n\t\u00a0\u3000é\u0301😀\u200d中<>\x1f\U0010fffd"), max_size=5))
@settings(max_examples=200, deadline=None)
def test_every_text_of_known_words_comes_back(texts: list[str]) -> None:
    array = pa.array(texts, pa.string())
    level = WrittenWords.fit([array], 10_000, least=1)
    ids, counts = level.encode(array)
    found = np.split(ids, np.cumsum(counts)[:-1]) if texts else []
    assert [level.decode(row) for row in found] == texts
    again = WrittenWords(level.symbols())
    assert [again.decode(row) for row in found] == texts


@given(text=st.text("aB,.('- \né"), cut=st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_a_text_may_go_on_after_another(text: str, cut: int) -> None:
    """As a long text does in its second piece, and a generated one after its prompt."""
    first, rest = text[:cut], text[cut:]
    level = WrittenWords.fit([pa.array([text, first, rest])], 10_000, least=1)
    level = WrittenWords([*{*level.symbols(), "", *text}])
    ids = level.encode(pa.array([rest]), first[-1:])[0]
    add = level.pieces(first)
    assert first + b"".join(add(id_) for id_ in ids.tolist()).decode() == text


def test_unknown_words_are_shown() -> None:
    level = WrittenWords.fit([pa.array(["a b, c"])], 100)
    assert level.decode(level.encode(pa.array(["a d, c"]))[0]) == "a <unknown>, c"
    assert level.report() == "4 words, with case and blanks"
