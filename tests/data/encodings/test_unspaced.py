from __future__ import annotations

import random

import pyarrow as pa
import pytest

from unrolled.data.encodings._unspaced import needs_characters
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.tokens import Tokens

_random = random.Random(0)
SURNAMES = ["".join(_random.choices("abcdefghij", k=_random.randint(4, 8))) for _ in range(60)]
TEXTS = {
    "Chinese": (["我很喜欢这部电影，演员非常好。", "今天天气不好，我们不出去了。"], True),
    "Japanese": (["この映画はとても面白かったです。", "カタカナだけのテキスト"], True),
    "Thai": (["ฉันชอบภาพยนตร์เรื่องนี้มาก", "วันนี้อากาศไม่ดีเลย"], True),
    "Khmer": (["ខ្ញុំចូលចិត្តភាពយន្តនេះណាស់"], True),
    "mixed": (["I liked 我很喜欢这部电影的演员 a lot"], True),
    "in words": (["我 很 喜欢 这 部 电影", "今天 天气 不 好"], False),
    "Korean": (["나는 이 영화를 정말 좋아합니다", "오늘은 날씨가 좋지 않습니다"], False),
    "a name among words": (["The director is called 陈凯歌先生, and the film won a prize in Berlin last year"], False),
    "English": (["the film was great", "a dull plot"] * 40, False),
    "surnames": (SURNAMES, True),
    "surnames that come again": (SURNAMES[:10] * 6, False),
    "labels": (["yes", "no", "maybe"] * 30, False),
    "a few words": (SURNAMES[:20], False),
    "numbers": ([str(n) for n in range(100)], False),
    "nothing": (["", "  "], False),
}


@pytest.mark.parametrize("name", TEXTS)
def test_where_words_would_not_come_again(name: str) -> None:
    texts, wanted = TEXTS[name]
    assert needs_characters(pa.chunked_array([texts])) == wanted


def test_bytes_that_are_no_text_are_passed_over() -> None:
    broken = pa.array([b"\xe6\x88", "我很喜欢这部电影".encode(), None]).cast(pa.large_binary())
    assert needs_characters(pa.chunked_array([broken]))


@pytest.mark.parametrize(
    ("texts", "asked", "default", "level"),
    [
        ("Chinese", None, "words", "characters"),
        ("Chinese", None, "words or bpe", "characters"),
        ("Chinese", None, "bpe", "bpe"),
        ("Chinese", "words", "words", "words"),
        ("surnames", None, "bpe", "characters"),
        ("surnames", "bpe", "bpe", "bpe"),
    ],
)
def test_the_default_is_characters_and_an_option_overrides_it(
    texts: str, asked: str | None, default: str, level: str
) -> None:
    column = pa.chunked_array([TEXTS[texts][0] * 3 if texts == "Chinese" else TEXTS[texts][0]])
    fitted = Tokens.fit(column, Tokens.Options(tokens=asked), Role(read=True, tokens=default), Where("a.csv", "text"))
    assert fitted.to_config()["level"] == level
