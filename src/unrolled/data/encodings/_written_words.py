r"""Tokens that are words of a text that a model writes: case and blanks are kept, and every text comes back exactly.

Most blanks need no token: between two words there is one space, and none before a comma or after a bracket. Where a
text differs, it says so: each other blank is a separate token, and the token of an empty text stands for no blank.

    "Isn't it?\n" → Isn, ', t, it, ?, \n        "a , b" → a, ␣, ",", b        "3.5" → 3, ., (nothing), 5
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._marks import EMOJI, UNKNOWN_WORD
from unrolled.data.encodings._words import MANY, most_frequent, word_ids

__all__ = ["WrittenWords", "split_written"]

_BLANKS = "\t\n\v\f\r \u0085\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_LAST = 0x10FFFD  # code point
_UNIT = rf"({EMOJI}|[\p{{L}}\p{{M}}\p{{N}}_]+|[^{_BLANKS}])"
_UNIT_ASCII = rf"(\w+|[^{_BLANKS}])"  # the same for ASCII texts, and faster
_NOTHING = ""  # the token for no blank where one would be expected

_NONE_BEFORE = frozenset(".,;:!?)]}%…»”’'-/")
_NONE_AFTER = frozenset("([{«“¿¡$£€#@’'-/")


class WrittenWords:
    """One token for each known word, and for each blank that its neighbours do not imply.

    Args:
        words: the known words and blanks, the most frequent first.
    """

    name: ClassVar[str] = "words"

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._known = pa.array(words, pa.large_string())

    @classmethod
    def fit(cls, texts: Iterable[pa.Array], vocabulary: int, least: int | None = None) -> Self:
        """Learn the ``vocabulary`` most frequent words that occur at least ``least`` times."""
        counts: Counter[str] = Counter()
        for part in texts:
            values, numbers = pc.value_counts(split_written(part)[0]).flatten()
            counts.update(dict(zip(values.to_pylist(), numbers.to_pylist(), strict=True)))
        return cls(most_frequent(counts, vocabulary, least or (2 if counts.total() >= MANY else 1)))

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones."""
        return len(self._words) + SPECIALS

    def encode(self, texts: pa.Array, before: str = "") -> tuple[np.ndarray, np.ndarray]:
        """One id for each word and each unexpected blank, and how many each text has.

        ``before`` is the character before the first text, where that continues an earlier one.
        """
        words, counts = split_written(texts, before)
        return word_ids(words, self._known), counts

    def decode(self, ids: np.ndarray) -> str:
        """The text, with ``<unknown>`` for unknown words."""
        write = _writer("")
        return "".join([write(self._word(id_)) for id_ in ids.tolist()])

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """Each word, after the blank that comes between it and the one before."""
        write = _writer(before)
        return lambda id_: write(self._word(id_)).encode()

    def symbols(self) -> list[str]:
        """The known words and blanks."""
        return self._words

    def report(self) -> str:
        """``8412 words, with case and blanks``."""
        return f"{len(self._words)} words, with case and blanks"

    def _word(self, id_: int) -> str:
        return UNKNOWN_WORD if id_ < SPECIALS else self._words[id_ - SPECIALS]


def split_written(texts: pa.Array, before: str = "") -> tuple[pa.Array, np.ndarray]:
    """The words and the unexpected blanks of all texts end to end, and (n,) int64 how many each text has.

    Example:
        >>> words, counts = split_written(pa.array(["Isn't it 3.5?", " a", ""]))
        >>> words.to_pylist(), counts.tolist()
        (['Isn', "'", 't', 'it', '3', '.', '', '5', '?', ' ', 'a'], [9, 2, 0])
    """
    if not len(texts):
        return pa.array([], pa.large_string()), np.zeros(0, np.int64)
    # A piece of texts is too short to hold every character that there is, so one is free to part the words.
    free = (chr(code) for code in range(_LAST, 0, -1))
    mark = next(mark for mark in free if not pc.any(pc.match_substring(texts, mark)).as_py())
    unit = _UNIT_ASCII if pc.all(pc.string_is_ascii(texts)).as_py() else _UNIT
    lists = pc.split_pattern(pc.replace_substring_regex(texts.cast(pa.large_string()), unit, rf"{mark}\1"), mark)
    sizes = pc.list_value_length(lists).to_numpy().astype(np.int64)  # (n,) of at least 1
    tokens, counts = _tokens(pc.list_flatten(lists).dictionary_encode(), np.cumsum(sizes) - 1, before)
    return tokens, np.add.reduceat(counts, np.cumsum(sizes) - sizes)


def _tokens(units: pa.DictionaryArray, last: np.ndarray, before: str) -> tuple[pa.Array, np.ndarray]:
    """The tokens of units, each a word (or nothing) and the blanks after it, and how many tokens each unit has.

    Args:
        units: (N,) the units of all texts.
        last: the last unit of each text.
        before: the character before the first unit.
    """
    place, distinct = units.indices.to_numpy(), [_parted(unit) for unit in units.dictionary.to_pylist()]
    loose_before, loose_after = (np.array(side)[place] for side in zip(*(_sides(w) for w, _ in distinct), strict=True))
    following = np.append(loose_before[1:], True)
    following[last] = True  # no blank is expected at the end of a text
    loose_after[0] = _sides(before)[1] or before in _BLANKS
    spaces = np.array([{"": 0, " ": 1}.get(blanks, 2) for _, blanks in distinct])[place]
    said = spaces != ~(loose_after | following)  # 1 where a space is expected
    # Each unit has two forms: as it is, and with its blanks written down.
    forms = [[*([w] if w else []), *more] for w, blanks in distinct for more in ([], list(blanks) or [_NOTHING])]
    sizes = np.array([len(form) for form in forms])
    chosen = 2 * place + said
    counts, starts = sizes[chosen], (np.cumsum(sizes) - sizes)[chosen]
    at = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    return pa.array([token for form in forms for token in form], pa.large_string()).take(pa.array(at)), counts


def _parted(unit: str) -> tuple[str, str]:
    word = unit.rstrip(_BLANKS)
    return word, unit[len(word) :]


def _sides(word: str) -> tuple[bool, bool]:
    """Whether no blank is expected before and after a word; the empty word is the start of a text."""
    return word in _NONE_BEFORE, not word or word in _NONE_AFTER


def _writer(before: str) -> Callable[[str], str]:
    """A function that takes tokens one by one and returns what each adds to a text after ``before``."""
    loose = not before or before[-1] in _BLANKS or _sides(before[-1])[1]

    def write(token: str) -> str:
        nonlocal loose
        first, (stands, after) = loose, _sides(token)
        if not token or token in _BLANKS:
            loose = True
            return token
        loose = after
        return token if first or stands else f" {token}"

    return write
