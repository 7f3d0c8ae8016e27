"""Texts whose words a vocabulary cannot hold: without blanks between words, or single words that do not come again."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["LOOKED_AT", "are_single_words", "needs_characters"]

LOOKED_AT = 2_000  # texts that are looked at
_LONGEST = 6_000  # bytes of each
# Han, kana, Bopomofo; Thai, Lao, Tibetan, Burmese, Khmer. Hangul has blanks between words.
_EAST = "\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_SOUTH = "\u0e00-\u0e7f\u0e80-\u0eff\u0f00-\u0fbc\u1000-\u109f\u1780-\u17d3"
_RUNS = re.compile(f"[{_EAST}]{{5,}}|[{_SOUTH}]{{16,}}")  # longer than a word, so that blanks are missing
_LETTERS = re.compile(r"[^\W\d_]")
_SHARE = 0.25  # of the letters that lie in such runs
_FEW_TEXTS, _SHORTEST, _NEW = 50, 3, 0.5  # texts and mean letters of single words, and share of them that occur once


def needs_characters(texts: pa.ChunkedArray) -> bool:
    """Whether texts are better read by characters than by words.

    That is so where at least a quarter of their letters lie in runs of Chinese, Japanese, Thai, Lao, Tibetan, Burmese
    or Khmer letters that are longer than words, and where nearly every text is one word and most of these words occur
    once, as surnames do.

    Example:
        >>> needs_characters(pa.chunked_array([["我很喜欢这部电影", "天气不好"]]))
        True
        >>> needs_characters(pa.chunked_array([["我 很 喜欢 这部 电影", "天气 不好"]]))
        False
    """
    sample = _sample(texts)
    whole = " ".join(sample)
    runs = sum(len(run) for run in _RUNS.findall(whole))
    return (runs > 0 and runs > _SHARE * _letters(whole)) or _single_words(sample)


def are_single_words(texts: pa.ChunkedArray) -> bool:
    """Whether nearly every text is one word and most of these words occur once, as in a dictionary.

    Example:
        >>> are_single_words(pa.chunked_array([[a + b + c for a in "klmn" for b in "aeiou" for c in "rst"]]))
        True
    """
    return _single_words(_sample(texts))


def _sample(texts: pa.ChunkedArray) -> list[str]:
    heads = pc.binary_slice(texts.slice(0, LOOKED_AT).cast(pa.large_binary()), 0, _LONGEST)
    return [head.decode("utf-8", "ignore") for head in heads.to_pylist() if head]


def _letters(text: str) -> int:
    return len(_LETTERS.findall(text))


def _single_words(texts: list[str]) -> bool:
    alone = len(texts) >= _FEW_TEXTS and all(" " not in text.strip() for text in texts)
    if not alone or sum(text.isalpha() for text in texts) <= len(texts) / 2:
        return False
    counts = pc.value_counts(pa.array(texts)).field("counts")
    once = pc.sum(pc.equal(counts, 1)).as_py() or 0
    return bool(once > _NEW * len(texts)) and _letters(" ".join(texts)) >= _SHORTEST * len(texts)
