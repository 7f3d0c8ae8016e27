"""The words of a text corpus, counted once and then read in pieces, any number of times.

Axes: V words, n running words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.config import DataConfig
from unrolled.data.encodings._cells import is_text
from unrolled.data.encodings._normal import normal_texts
from unrolled.data.encodings._pieces import Piece, as_text, pieces, raw
from unrolled.data.encodings._words import count_words, split_words
from unrolled.data.tables.read import read
from unrolled.errors import DataError, Origin, named

__all__ = ["Corpus"]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Texts, and the words that are frequent in them.

    Texts are cut into words as the option ``tokens`` does with ``words``: in lower case, at blanks and punctuation. A
    text file is mapped and passes through memory a megabyte at a time; each of its lines is a sentence.

    Attributes:
        words: V words, the most frequent first; equally frequent ones in alphabetical order.
        counts: (V,) int64.
        running: how many words the texts hold, rare ones included.
        remarks: what the user should know about how the texts were read.

    Example:
        >>> corpus = Corpus.count({"text": ["a cat", "a dog and a cat"]}, min_count=2)
        >>> corpus.words, corpus.counts.tolist(), corpus.running
        (['a', 'cat'], [3, 2], 7)
        >>> [(ids.tolist(), sentences.tolist()) for ids, sentences in corpus.passage()]
        [([0, 1, 0, 0, 1], [0, 0, 1, 1, 1])]
    """

    words: list[str]
    counts: np.ndarray
    running: int
    remarks: tuple[str, ...]
    _columns: list[pa.ChunkedArray] = field(repr=False)
    _origin: Origin

    @classmethod
    def count(cls, source: Any, min_count: int) -> Self:
        """Read the texts of ``source`` (a path, or a table in memory) and count their words.

        Args:
            source: all of its text columns are read.
            min_count: how often a word must occur to be kept.

        Raises:
            DataError: it cannot be read, holds no texts, or has fewer than two words that are frequent enough.
        """
        sequences = read(source, DataConfig(own={"reader.text": {"rows_are": "lines"}}))
        table = sequences.table
        texts = [name for name in table.column_names if is_text(table.column(name).type)]
        chosen = [name for name in texts if sequences.traits(name).verbatim] or texts
        if not chosen:
            raise DataError("has no text column to learn words from", file=sequences.origin)
        columns = [table.column(name) for name in chosen]
        counts = count_words((piece.texts for piece in _checked(columns, sequences.origin)), items=False)
        kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
        if len(kept) < 2:
            hint = "give more text" if min_count == 1 else f"give more text, or {named('min_count')} below {min_count}"
            why = f"only {len(kept)} of its {len(counts)} words occur {min_count} times or more"
            raise DataError(why, file=sequences.origin, hint=hint)
        numbers = np.array([counts[word] for word in kept], np.int64)
        return cls(kept, numbers, counts.total(), sequences.remarks, columns, sequences.origin)

    def passage(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the kept words in running order, a piece at a time: the id and the sentence of each, both (n,) int64.

        Sentences are numbered within a piece; a sentence longer than a piece is cut.
        """
        known = pa.array(self.words, pa.large_string())
        for piece in _checked(self._columns, self._origin):
            words, lengths = split_words(piece.texts)
            ids = pc.fill_null(pc.index_in(words.cast(pa.large_string()), value_set=known), -1).to_numpy()
            sentences = np.repeat(np.arange(len(lengths)), lengths)
            yield ids[ids >= 0].astype(np.int64), sentences[ids >= 0]


def _checked(columns: list[pa.ChunkedArray], origin: Origin) -> Iterator[Piece]:
    for column in columns:
        for piece in pieces(column):
            try:
                as_text(raw(piece.texts)[0])
            except UnicodeDecodeError:
                raise DataError("has a text that is not UTF-8", file=origin) from None
            yield replace(piece, texts=normal_texts(piece.texts, "nfc"))
