"""The letters of words: what a model can read of a word that training never held.

Each distinct word of a piece of text is spelled once, without a loop over words, and its letters are then copied to
wherever it stands.

Axes: N words, U distinct words, L letters of a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import smallest_dtype
from unrolled.data.encodings._marks import UNKNOWN_WORD
from unrolled.data.encodings._pieces import as_text, raw
from unrolled.data.encodings._words import counted_words
from unrolled.data.encodings.encoding import Role
from unrolled.errors import UsageError, named

__all__ = ["Spelling", "reads_letters"]

_PADDING, _UNKNOWN = 0, 1
_SPECIALS = 2  # the id of the first letter
_LONGEST = 20  # letters of a word that are kept, at most
_MOST = 0.99  # of the distinct words of training keep all their letters
_LEAST = 2  # times that a letter occurs in training, to be known
_BLOCK = 1 << 18  # words spelled at a time


@dataclass(frozen=True, slots=True)
class Spelling:
    """The known letters, and how many of a word are kept.

    Letters keep their case, even where the words themselves are in lower case: it says which words are names.

    Attributes:
        alphabet: the letters, in the order of their code points.
        width: L. A longer word keeps its first and its last letters.

    Example:
        >>> spelling = Spelling("abe", 4)
        >>> spelling.encode(pa.array(["abba", "be", "abcdebe", None, "<unknown>"])).tolist()
        [[2, 3, 3, 2], [3, 4, 0, 0], [2, 3, 3, 4], [0, 0, 0, 0], [0, 0, 0, 0]]
    """

    alphabet: str
    width: int

    @classmethod
    def fit(cls, words: Iterable[pa.Array]) -> Self:
        """Learn the letters that occur at least twice, and a width that holds 99 of 100 distinct words, 20 at most."""
        counts = counted_words(part.fill_null("") for part in words)
        known = _plain(pa.array(counts.keys(), pa.large_string()))
        lengths = _lengths(known)
        codes, place = np.unique(_code_points(known), return_inverse=True)
        often = np.bincount(place, np.repeat(np.array([*counts.values()], np.int64), lengths), len(codes)) >= _LEAST
        width = int(np.quantile(lengths, _MOST, method="higher")) if len(lengths) else 1
        return cls("".join(map(chr, codes[often].tolist())), min(max(width, 1), _LONGEST))

    @property
    def size(self) -> int:
        """The number of ids: the letters, padding and an unknown letter."""
        return len(self.alphabet) + _SPECIALS

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest dtype that holds every id."""
        return smallest_dtype(self.size)

    def encode(self, words: pa.Array) -> np.ndarray:
        """(N, L) unsigned integers; a missing word and ``<unknown>`` have no letters."""
        blocks = [self._block(words.slice(at, _BLOCK)) for at in range(0, len(words), _BLOCK)]
        return np.concatenate([np.zeros((0, self.width), self.dtype), *blocks])

    def _block(self, words: pa.Array) -> np.ndarray:
        coded = words.cast(pa.large_string()).fill_null("").dictionary_encode()
        return self._spelled(_plain(coded.dictionary))[coded.indices.to_numpy()]

    def _spelled(self, words: pa.Array) -> np.ndarray:
        """(U, L)."""
        lengths, known = _lengths(words), np.array([*map(ord, self.alphabet)], np.uint32)
        codes = _code_points(words)
        place = np.searchsorted(known, codes)
        found = np.append(known, 0)[place] == codes  # no word holds the code point 0, see `_plain`
        ids = np.append(np.where(found, place + _SPECIALS, _UNKNOWN), _PADDING).astype(self.dtype)
        steps, cut = np.arange(self.width), np.maximum(lengths - self.width, 0)[:, None]
        at = (np.cumsum(lengths) - lengths)[:, None] + steps + np.where(steps < -(-self.width // 2), 0, cut)
        table: np.ndarray = ids[np.where(steps < lengths[:, None], at, len(codes))]
        return table


def reads_letters(asked: bool | None, role: Role) -> bool:
    """Whether the letters of a column of words are read: where they are asked for, and the words are not written.

    Raises:
        UsageError: they are asked for where a model continues the words of a column.
    """
    if asked and not (role.read or role.closed):
        raise UsageError(f"{named('letters')} only works with words that are read, and this task writes them")
    return bool(asked) and role.read


def _plain(words: pa.Array) -> pa.Array:
    """The same words, with an empty one in place of ``<unknown>``, and without the code point 0."""
    words = pc.if_else(pc.equal(pc.ascii_lower(words), UNKNOWN_WORD), "", words)
    return pc.replace_substring(words, "\0", "\ufffd")


def _lengths(words: pa.Array) -> np.ndarray:
    return np.asarray(pc.utf8_length(words).to_numpy(), np.int64)


def _code_points(words: pa.Array) -> np.ndarray:
    """The code points of all words end to end."""
    return np.frombuffer(as_text(raw(words)[0]).encode("utf-32-le"), np.uint32)
