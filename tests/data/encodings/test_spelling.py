"""The letters of words: which are known, how many of a word are kept, and what stands for a word without letters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings._spelling import Spelling, reads_letters
from unrolled.data.encodings._token_lists import ListOptions, TokenLists
from unrolled.data.encodings._words import split_words
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.tokens import Tokens
from unrolled.errors import ModelError, UsageError

WHERE = Where("tweets.csv", "text")
READ = Role(read=True, tokens="words")
TWEETS = ["Anna met ANNA, see HTTPS://A.b/C!", "", None, "nai\u0308ve naïve anna", "@Bob <unknown>"]


def column(values: list) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


def fit(values: list, role: Role = READ, **options: object) -> Tokens:
    found = Tokens.fit(column(values), Tokens.Options(letters=True, **options), role, WHERE)
    assert isinstance(found, Tokens)
    return found


def written(spelling: Spelling | None, letters: np.ndarray) -> list[str]:
    """Letters as a text, with ``?`` for an unknown one."""
    assert spelling is not None
    return ["".join(("", "?", *spelling.alphabet)[id_] for id_ in row) for row in letters.tolist()]


def test_letters_are_known_that_occur_twice() -> None:
    spelling = Spelling.fit([pa.array(["ab", "ab", "b"]), pa.array(["abc", None, "é"])])
    assert (spelling.alphabet, spelling.width, spelling.size) == ("ab", 3, 4)
    assert spelling.encode(pa.array(["cab", "é", "", "bé"])).tolist() == [[1, 2, 3], [1, 0, 0], [0, 0, 0], [3, 1, 0]]


@pytest.mark.parametrize(("width", "kept"), [(1, "a"), (2, "aj"), (3, "abj"), (4, "abij"), (10, "abcdefghij")])
def test_a_long_word_keeps_its_first_and_its_last_letters(width: int, kept: str) -> None:
    spelling = Spelling("abcdefghij", width)
    assert written(spelling, spelling.encode(pa.array(["abcdefghij"]))) == [kept]


def test_the_width_holds_nearly_every_word_and_has_a_limit() -> None:
    words = ["ab"] * 5 + [f"{number:03}" for number in range(199)] + ["a" * 9]
    assert Spelling.fit([pa.array(words)]).width == 3
    assert Spelling.fit([pa.array(["a" * 90])]).width == 20
    assert Spelling.fit([]) == Spelling("", 1)
    assert Spelling("", 1).encode(pa.array(["a", ""])).tolist() == [[1], [0]]


def test_any_word_is_spelled_as_its_letters_one_by_one_are() -> None:
    random = np.random.default_rng(1)
    alphabet = "".join(sorted("abcXYZéß字😀"))
    spelling = Spelling(alphabet, 5)
    for _ in range(20):
        words = ["".join(random.choice(list("abcXYZéß字😀?\0"), random.integers(0, 12))) for _ in range(40)]
        short = [word if len(word) <= 5 else word[:3] + word[-2:] for word in words]
        wanted = [[alphabet.find(letter) + 2 if letter in alphabet else 1 for letter in word] for word in short]
        assert spelling.encode(pa.array(words)).tolist() == [ids + [0] * (5 - len(ids)) for ids in wanted]


def test_letters_keep_the_case_that_the_words_lose() -> None:
    tokens = fit(TWEETS)
    encoded, letters = tokens.encode(column(TWEETS), WHERE), tokens.spell(column(TWEETS), WHERE)
    assert np.array_equal(letters.offsets, encoded.offsets) and letters.values.dtype == np.uint8
    assert tokens.decode(encoded.values[:5]) == "anna met anna , see"
    assert written(tokens.spelling, letters.values)[:3] == ["Anna", "?e?", "ANNA"]
    assert written(tokens.spelling, letters.values)[-2:] == ["<user>", ""]
    naive = letters.values[encoded.offsets[3] : encoded.offsets[3] + 2]
    assert np.array_equal(naive[0], naive[1]) and naive.any()


def test_words_are_the_same_whether_case_is_kept_or_not() -> None:
    texts = pa.array(["See HTTP://A.B/C, WWW.x.y; Mail A@B.C <URL> İstanbul ⅧⒶ K @ÉVA @Eva", "ẞ ﬀ 👍🏽 #WOW"])
    cased, counts = split_words(texts, lower=False)
    lower, same = split_words(texts)
    assert counts.tolist() == same.tolist()
    assert [word.lower().replace("i̇", "i") for word in cased.to_pylist()] == lower.to_pylist()


def test_a_live_word_is_spelled_as_in_a_file() -> None:
    tokens = fit(TWEETS)
    for text in TWEETS:
        live = tokens.spell_live(text)
        assert len(live) == len(tokens.encode_live(text, (), WHERE)[0])
        if text is not None:
            assert np.array_equal(live, tokens.spell(column([text]), WHERE).values)
    assert not tokens.spell_live(None).any()
    lists = TokenLists.fit(column([["Ab", "Ab"], ["ab"]]), ListOptions(letters=True), READ, WHERE)
    assert written(lists.spelling, lists.spell(column([["Ab", None], []]), WHERE).values) == ["Ab", ""]
    assert written(lists.spelling, lists.spell_live("bA")) == ["bA"]
    assert not lists.spell_live(None).any()


def test_many_letters_take_two_bytes() -> None:
    words = [chr(0x4E00 + number) for number in range(300)]
    spelling = Spelling.fit([pa.array(words), pa.array(words)])
    assert spelling.encode(pa.array(words)).dtype == np.uint16
    assert spelling.encode(pa.array(words))[:, 0].tolist() == list(range(2, 302))


def test_letters_are_only_of_words_that_are_read() -> None:
    assert fit(["ab"], tokens="words").spelling is not None
    assert fit(["ab"], Role(tokens="characters", read=True)).spelling is None
    assert fit(["ab"], Role(closed=True, framed=True, tokens="words")).spelling is None
    assert Tokens.fit(column(["ab"]), Tokens.Options(), READ, WHERE).spelling is None  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="letters only works with words that are read, and this task writes them"):
        fit(["ab"], Role(tokens="words"))
    with pytest.raises(UsageError, match="letters only works with words: leave tokens out, or the letters"):
        fit(["ab"], tokens="bytes")
    with pytest.raises(UsageError, match="letters only works with words, but 'text' holds the events of music"):
        TokenLists.fit(column([["t10", "p60"]]), ListOptions(letters=True), READ, WHERE)
    assert not reads_letters(None, READ)


def test_an_encoding_with_letters_comes_back_and_one_without_is_as_before() -> None:
    tokens = fit(TWEETS)
    again = Tokens.from_config(tokens.to_config())
    assert again.spelling == tokens.spelling
    assert "letters" not in Tokens.fit(column(TWEETS), Tokens.Options(), READ, WHERE).to_config()
    assert tokens.settled["letters"] and tokens.report().endswith("words, with their letters")
    assert tokens.reused(Tokens.Options(), Role(framed=True)).spelling is None
    assert tokens.reused(Tokens.Options(), READ).spelling == tokens.spelling
    for damage in ({"level": "bytes", "symbols": None}, {"letters": {"alphabet": "ba", "width": 2}}, {"written": True}):
        with pytest.raises(ModelError, match="its letters are not those of words"):
            Tokens.from_config({**tokens.to_config(), **damage})
    with pytest.raises(ModelError, match="letters.width"):
        Tokens.from_config({**tokens.to_config(), "letters": {"alphabet": "ab", "width": 0}})


def test_a_text_has_as_many_words_in_lower_case_as_written() -> None:
    texts = pa.array(["İwww.x.de", "İ@anna WWW.X.DE"])  # in lower case the first letter is an i, which ends no word
    lower, written = (split_words(texts, lower)[1].tolist() for lower in (True, False))
    assert lower == written
