"""What is one token of a tweet: each case by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.encodings import _marks as marks
from unrolled.data.encodings._words import _split_any, split_words

FAMILY, SCOTLAND = "👩‍👩‍👧‍👦", "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + chr(0xE007F)


def words(text: str) -> list[str]:
    return split_words(pa.array([text]))[0].to_pylist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://t.co/Ab1?x=y&z#w now", "see <url> now"),
        ("(http://x.org/a_b), www.site.de. WWW.X.DE!", "( <url> ) , <url> . <url> !"),
        ("“https://a.b/c”…http://d.e/f…", "“ <url> ” … <url> …"),
        ("http://", "http : / /"),
        ("swww.x", "swww . x"),
        ("@Anna_1: @bob@carl", "<user> : <user> @ carl"),
        ("a@b.com @ café@x", "a @ b . com @ café @ x"),
        ("#Joy #2day ##", "# joy # 2day # #"),
        ("<url> <user> <unknown> <b>", "<url> <user> <unknown> < b >"),
        ("I'm 3.5", "i ' m 3 . 5"),
    ],
)
def test_addresses_mentions_and_tags(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    "emoji",
    ["😀", "👍🏽", "❤️", "☺", FAMILY, "👩🏽‍💻", "🏳️‍🌈", "🇩🇪", SCOTLAND, "1️⃣", "#️⃣", "‼️", "©", "🫠", "↔️"],
)
def test_an_emoji_is_one_token_however_many_code_points_it_has(emoji: str) -> None:
    assert words(emoji) == [emoji]
    assert words(f"so{emoji}{emoji}😀 {emoji}.") == ["so", emoji, emoji, "😀", emoji, "."]


def test_plain_text_is_cut_as_any_other() -> None:
    texts = pa.array(["".join(map(chr, range(1, 128))), "a_b<url>1<2", ""])
    plain = marks.cut_at_signs(texts)
    both = marks.cut_at_signs(pa.array([*texts.to_pylist(), "é"]))
    assert plain.to_pylist() == both.to_pylist()[:3]


@given(
    st.lists(st.text(st.characters(max_codepoint=127) | st.sampled_from(" aZ_.<@é"), max_size=12), max_size=6),
    st.sampled_from([pa.string(), pa.large_string()]),
    st.booleans(),
)
def test_plain_texts_are_looked_up_as_others_are_matched(texts: list[str], kind: pa.DataType, lower: bool) -> None:
    array = pa.array(["before", *texts], kind)[1:]
    (words, counts), (expected, numbers) = split_words(array, lower), _split_any(array, lower)
    words.validate(full=True)
    assert words.type == expected.type and words.to_pylist() == expected.to_pylist()
    assert counts.dtype == numbers.dtype and counts.tolist() == numbers.tolist()
