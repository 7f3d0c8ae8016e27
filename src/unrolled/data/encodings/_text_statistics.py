"""What the tokens of a column of texts are made of, collected part by part, in one pass over the texts or in two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from queue import Queue
from threading import Thread
from typing import Any, Protocol, cast

import pyarrow as pa

from unrolled.data.encodings._bpe import Bpe
from unrolled.data.encodings._bytes import Bytes
from unrolled.data.encodings._characters import Characters, CharacterSet
from unrolled.data.encodings._level import Level
from unrolled.data.encodings._normal import Normal
from unrolled.data.encodings._texts import checked, open_texts
from unrolled.data.encodings._unspaced import LOOKED_AT
from unrolled.data.encodings._words import MANY, Words, are_codes, count_words
from unrolled.data.encodings._written_words import WrittenWords
from unrolled.data.encodings.encoding import Where

__all__ = ["TextStatistics", "Wanted", "learned"]

_MANY_WORDS = 20_000  # distinct words that occur at least twice; with more, BPE is used, as words would lose some
_OFTEN = 10  # a pair is merged if it occurs as often, so that a model sees each token a few times
_AHEAD = 4  # arrays that wait for a trainer


def learned(
    wanted: str, texts: Callable[[], Iterator[pa.Array]], vocabulary: int, least: int | None, *, read: bool
) -> Level:
    """The token level that is ``wanted``, learned from texts that can be gone over several times.

    Args:
        wanted: characters, words, bpe, or ``words or bpe``.
        texts: the texts in their normal form.
        vocabulary, least: the most tokens, and how often one must occur.
        read: whether the texts are only read.
    """
    if wanted == "words" and not read:
        return WrittenWords.fit(texts(), vocabulary, least)
    if wanted == "characters":
        return Characters.fit(texts())
    found: Level | _Collector = _WordCounts(Wanted(wanted, None, vocabulary, least), wanted == "bpe", codes=read)
    while isinstance(found, _WordCounts | _Trainer | CharacterSet):
        for part in texts():
            found.add(part)
        found = found.found()
    return cast(Level, found)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the texts of a column that is only read are to be split.

    Attributes:
        level: characters, words, bpe, bytes, or ``words or bpe``.
        by_letters: whether some texts are split into characters all the same; ``None``: none are.
        vocabulary, least: the most tokens, and how often one must occur.
    """

    level: str
    by_letters: Callable[[pa.ChunkedArray], bool] | None
    vocabulary: int
    least: int | None


class _Collector(Protocol):
    """Collects texts in their normal form; then gives the level or, if it takes another pass, who goes over them."""

    def add(self, texts: pa.Array) -> None: ...

    def found(self) -> Level | _Collector: ...


@dataclass(slots=True)
class TextStatistics:
    """Collects the texts of the training split part by part.

    Attributes:
        wanted: how they are split.
        normal: their Unicode form.
        made: makes the encoding of a level.
        collector: who goes over the texts; ``None``: it is chosen when enough of them are seen.
    """

    wanted: Wanted
    normal: Normal
    made: Callable[[Level], Any]
    collector: _Collector | None = None
    first: list[pa.ChunkedArray] = field(default_factory=list)
    waiting: list[pa.Array] = field(default_factory=list)

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Add the next part.

        Raises:
            DataError: the column does not hold texts, or one is not UTF-8.
        """
        cells = open_texts(array, where, items=False)
        texts = cells.flat.drop_null()
        if self.collector is None:
            self.first.append(texts.slice(0, LOOKED_AT - sum(map(len, self.first))))
            self.waiting += [piece.texts for piece in checked(replace(cells, flat=texts), self.normal)]
            if sum(map(len, self.first)) >= LOOKED_AT:
                self._choose()
            return
        for piece in checked(replace(cells, flat=texts), self.normal):
            self.collector.add(piece.texts)

    def fitted(self) -> Any:
        """The encoding, or who must go over the texts again."""
        found = (self.collector or self._choose()).found()
        if isinstance(found, _Trainer | CharacterSet):
            return TextStatistics(self.wanted, self.normal, self.made, found)
        return self.made(cast(Level, found))

    def _choose(self) -> _Collector:
        wanted = self.wanted
        texts = pa.chunked_array([chunk for part in self.first for chunk in part.chunks], self.first[0].type)
        chars = wanted.level == "characters" or (wanted.by_letters is not None and wanted.by_letters(texts))
        makes: dict[str, Callable[[], _Collector]] = {"bytes": _Nothing, "bpe": lambda: _WordCounts(wanted, True)}
        make = CharacterSet if chars else makes.get(wanted.level, lambda: _WordCounts(wanted, False))
        self.collector = collector = make()
        for part in self.waiting:
            collector.add(part)
        self.first, self.waiting = [], []
        return collector


class _Nothing:
    """The bytes of a text are known before it is seen."""

    def add(self, texts: pa.Array) -> None:
        """Nothing."""

    def found(self) -> Level:
        """The level of bytes."""
        return Bytes()


class _WordCounts:
    """Counts words; where there are too many for a vocabulary, a second pass learns byte-pair tokens."""

    def __init__(self, wanted: Wanted, pairs: bool, *, codes: bool = True) -> None:
        self._wanted, self._pairs, self._codes = wanted, pairs, codes
        self._counts: Counter[str] = Counter()

    def add(self, texts: pa.Array) -> None:
        """Count the words of ``texts``."""
        self._counts.update(count_words([texts], items=False))

    def found(self) -> Level | _Collector:
        """The level of words, or who goes over the texts again."""
        wanted, counts = self._wanted, self._counts
        open_ = wanted.level == "words or bpe"
        if open_ and self._codes and are_codes(counts):
            return CharacterSet()
        if self._pairs or (open_ and sum(count > 1 for count in counts.values()) > _MANY_WORDS):
            return _Trainer(wanted.vocabulary, wanted.least or (_OFTEN if counts.total() >= MANY else 2))
        return Words.of(counts, wanted.vocabulary, items=False, least=wanted.least)


class _Trainer:
    """Learns byte-pair tokens in a thread that waits for texts: its library asks for them, and takes none."""

    def __init__(self, vocabulary: int, least: int) -> None:
        self._texts: Queue[pa.Array | None] = Queue(_AHEAD)
        self._level: list[Level | BaseException] = []
        self._thread = Thread(target=self._learn, args=(vocabulary, least), daemon=True)

    def add(self, texts: pa.Array) -> None:
        """Give the trainer ``texts``."""
        if not self._thread.is_alive() and not self._level:
            self._thread.start()
        if not self._level:
            self._texts.put(texts)

    def found(self) -> Level:
        """The level of byte-pair tokens."""
        self.add(pa.array([], pa.large_string()))
        self._texts.put(None)
        self._thread.join()
        (level,) = self._level
        if isinstance(level, BaseException):
            raise level
        return level

    def _learn(self, vocabulary: int, least: int) -> None:
        try:
            self._level.append(Bpe.fit(self._given(), vocabulary, least))
        except BaseException as error:  # raised where the level is asked for
            self._level.append(error)

    def _given(self) -> Iterator[pa.Array]:
        while (texts := self._texts.get()) is not None:
            yield texts
