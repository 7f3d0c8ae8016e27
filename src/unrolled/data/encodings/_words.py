"""Tokens that are words of a text that is only read, in lower case and split at signs; or the items of a list.

Texts that a model writes have words that keep case and blanks, see `unrolled.data.encodings._written_words`.

What `cut_at_signs` folds or keeps whole is one word. Encoding a decoded text gives the same ids again.

If the training data has 10,000 words in all or more, a word that occurs only once becomes ``<unknown>``: a model can
learn to handle unknown words only if it sees some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import smallest_dtype
from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._marks import UNKNOWN_WORD, cut_at_signs, may_fold
from unrolled.data.encodings._pieces import raw

__all__ = [
    "MANY",
    "WordCounts",
    "Words",
    "are_codes",
    "count_words",
    "counted_words",
    "most_frequent",
    "split_words",
    "word_ids",
]

_ASCII = 0x80
MANY = 10_000  # words in all, with repetitions
_WAITING = 1_000_000  # counts that are added at a time
_ONCE = 0.25  # at least this share of the words with digits occurs only once, where words are codes


class Words:
    """One token for each known word.

    Args:
        words: the known words, the most frequent first.
        items: each text is one word and is not split.
        appended: how many of the words, the last ones, came after the first training.
    """

    name: ClassVar[str] = "words"

    def __init__(self, words: list[str], items: bool, appended: int = 0) -> None:
        self._words, self._items, self.appended = words, items, appended
        self._known = pa.array(words, pa.large_string())

    @classmethod
    def fit(cls, texts: Iterable[pa.Array], vocabulary: int, items: bool, least: int | None = None) -> Self:
        """Learn the ``vocabulary`` most frequent words; among equally frequent ones, those first in the alphabet.

        Words that occur less often than ``least`` are left out.
        """
        return cls.of(count_words(texts, items), vocabulary, items, least)

    @classmethod
    def of(cls, counts: Counter[str], vocabulary: int, items: bool, least: int | None = None) -> Self:
        """The same as `fit`, from word counts."""
        known = Counter({word: count for word, count in counts.items() if items or word != UNKNOWN_WORD})
        return cls(most_frequent(known, vocabulary, least or (2 if counts.total() >= MANY else 1)), items)

    def extended(self, texts: Iterable[pa.Array], vocabulary: int, least: int | None = None) -> Words:
        """The same, with at most ``vocabulary`` new words of ``texts`` appended, as `fit` finds them."""
        counts, known = count_words(texts, self._items), {*self._words, *(() if self._items else (UNKNOWN_WORD,))}
        least = least or (2 if counts.total() >= MANY else 1)
        new = Counter({word: count for word, count in counts.items() if word is not None and word not in known})
        words = most_frequent(new, vocabulary, least)
        return Words([*self._words, *words], self._items, self.appended + len(words))

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones."""
        return len(self._words) + SPECIALS

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """One id per word, and how many each text has."""
        words, counts = (texts, np.ones(len(texts), np.int64)) if self._items else split_words(texts)
        return word_ids(words, self._known), counts

    def decode(self, ids: np.ndarray) -> str:
        """The words separated by spaces: the layout and the case of the text are lost."""
        return " ".join(self.words(ids))

    def words(self, ids: np.ndarray) -> list[str]:
        """The words as a list."""
        return [UNKNOWN_WORD if id_ < SPECIALS else self._words[id_ - SPECIALS] for id_ in ids.tolist()]

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """Each word, after a space if it follows another one."""
        begun = bool(before) and not before[-1].isspace()

        def piece(id_: int) -> bytes:
            nonlocal begun
            word = UNKNOWN_WORD if id_ < SPECIALS else self._words[id_ - SPECIALS]
            text, begun = f" {word}" if begun else word, True
            return text.encode()

        return piece

    def symbols(self) -> list[str]:
        """The known words."""
        return self._words

    def report(self) -> str:
        """``8412 words``."""
        return f"{len(self._words)} {'items' if self._items else 'words'}"


def most_frequent(counts: Counter[str], vocabulary: int, least: int) -> list[str]:
    """The words that occur at least ``least`` times, the most frequent first, at most ``vocabulary``."""
    known = (word for word, count in counts.items() if count >= least)
    return sorted(known, key=lambda word: (-counts[word], word))[:vocabulary]


def word_ids(words: pa.Array, known: pa.Array) -> np.ndarray:
    """The id of each of ``words``: its place among the ``known`` words behind the special tokens, or unknown."""
    places = pc.index_in(words.cast(pa.large_string()), value_set=known)
    ids: np.ndarray = pc.fill_null(places, -SPECIALS).to_numpy() + SPECIALS
    return ids.astype(smallest_dtype(len(known) + SPECIALS))


def are_codes(counts: Mapping[str, int]) -> bool:
    """Whether most words hold digits and many of these occur only once: their characters say more than they do.

    Example:
        >>> are_codes({"pc": 2, "17599": 1, "113803": 1, "a": 1, "/": 1, "21171": 1, "17601": 1})
        True
        >>> are_codes({"3": 5, "1": 4, "and": 2}), are_codes({"the": 5, "year": 1, "1912": 1})
        (False, False)
    """
    words = {word: count for word, count in counts.items() if any(map(str.isalnum, word))}
    numbered = {word: count for word, count in words.items() if any(map(str.isdigit, word))}
    total, once = sum(numbered.values()), sum(count == 1 for count in numbered.values())
    return 2 * total > sum(words.values()) and once >= _ONCE * total


def count_words(texts: Iterable[pa.Array], items: bool) -> Counter[str]:
    """How often each word occurs in ``texts``; with ``items``, each text is one word."""
    return counted_words(part if items else split_words(part)[0] for part in texts)


def counted_words(parts: Iterable[pa.Array]) -> Counter[str]:
    """How often each word occurs in arrays of words."""
    counts = WordCounts()
    for part in parts:
        counts.add(part)
    return counts.found()


class WordCounts:
    """How often each word occurs in arrays of words that come one after another."""

    def __init__(self) -> None:
        self._found = pa.table({"values": pa.array([], pa.large_string()), "counts": pa.array([], pa.int64())})
        self._waiting = [self._found]

    def add(self, words: pa.Array) -> None:
        """Count some more words."""
        values, numbers = pc.value_counts(words.cast(pa.large_string())).flatten()
        self._waiting.append(pa.table({"values": values, "counts": numbers}))
        if sum(map(len, self._waiting)) > max(_WAITING, 2 * len(self._found)):
            self._found = _added(self._waiting)
            self._waiting = [self._found]

    def found(self) -> Counter[str]:
        """The counts of all words so far, in the order in which they come first."""
        found = _added(self._waiting)
        return Counter(dict(zip(found["values"].to_pylist(), found["counts"].to_pylist(), strict=True)))


def _added(tables: list[pa.Table]) -> pa.Table:
    """One row for each word, in the order in which they come first."""
    added = pa.concat_tables(tables).group_by("values", use_threads=False).aggregate([("counts", "sum")])
    return added.rename_columns(["values", "counts"])


def split_words(texts: pa.Array, lower: bool = True) -> tuple[pa.Array, np.ndarray]:
    """The words of all texts end to end, in lower case or as they are written, and (n,) int64 how many each text has.

    Example:
        >>> words, counts = split_words(pa.array(["Isn't it 3.5?", ""]))
        >>> " ".join(words.to_pylist()), counts.tolist()
        ("isn ' t it 3 . 5 ?", [8, 0])
    """
    if (letters := _plain(texts)) is not None:
        return _split_plain(texts.type, letters.lower() if lower else letters, raw(texts)[1])
    return _split_any(texts, lower)


def _split_any(texts: pa.Array, lower: bool) -> tuple[pa.Array, np.ndarray]:
    apart = cut_at_signs(texts)
    # Trimmed, because Arrow's split reads past the end of a text that ends with a space and may find a word there.
    lists = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(apart))
    words, parents = pc.list_flatten(lists), pc.list_parent_indices(lists)
    real = pc.not_equal(words, "")  # Arrow returns one empty word for a text without words
    counts = np.bincount(parents.filter(real).to_numpy(), minlength=len(texts)).astype(np.int64)
    words = words.filter(real)
    return pc.utf8_lower(words) if lower else words, counts  # last, so that both have the same number of words


def _plain(texts: pa.Array) -> bytes | None:
    """The letters of texts in which a sign is a word and a run of other letters is one; ``None`` if some differ."""
    letters = raw(texts)[0]
    if texts.null_count or (len(letters) and letters.max() >= _ASCII):
        return None
    found = letters.tobytes()
    return None if may_fold(found) or b"<" in found else found


@cache
def _parts_of_words() -> tuple[bytes, bytes]:
    """Whether each letter is a blank, 0, part of a word, 1, or a sign, which is a word, 2; and the blanks."""
    texts = pa.array([f"a{chr(code)}b" for code in range(_ASCII)], pa.large_string())
    _, counts = _split_any(texts, lower=False)
    found = bytes({1: 1, 2: 0, 3: 2}[count] for count in counts.tolist())
    return found + bytes(_ASCII), bytes(code for code, part in enumerate(found) if not part)


def _split_plain(type_: pa.DataType, letters: bytes, offsets: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """`split_words` of plain texts, by looking up each letter: in half of the time."""
    known, blanks = _parts_of_words()
    parts = np.frombuffer(letters.translate(known), np.uint8)
    shown, runs = parts != 0, parts == 1
    joined = runs[1:] & runs[:-1]  # the letters belong to one word
    rows = offsets[1:-1]
    joined[rows[(rows > 0) & (rows < len(parts))] - 1] = False
    begins, ends = shown.copy(), shown.copy()
    begins[1:] &= ~joined
    ends[:-1] &= ~joined
    starts = np.flatnonzero(begins)
    places = np.zeros(len(starts) + 1, np.int64 if pa.types.is_large_string(type_) else np.int32)
    np.cumsum(np.flatnonzero(ends) + 1 - starts, out=places[1:])
    buffers = [None, pa.py_buffer(places), pa.py_buffer(letters.translate(None, blanks))]
    counts = np.diff(np.searchsorted(starts, offsets)).astype(np.int64)
    return pa.Array.from_buffers(type_, len(starts), buffers), counts
