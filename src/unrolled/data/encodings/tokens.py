"""Tokens: a text as ids of its characters, words, byte-pair tokens or bytes; a list as one id an item.

The items of a list are texts, or whole numbers that are read as texts.
Ids 0, 1 and 2 are ``<unknown>``, ``<begin>`` and ``<end>``. Bytes give a text back exactly; characters and BPE give it
back in its normal form, which is the text itself with ``normalise`` none; words give it back in lower case with a space
between two, addresses and mentions folded, and what they give back has the same ids.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from unrolled.batch import Discrete
from unrolled.data.encoded import Encoded, Options, Where, has_time
from unrolled.data.encodings._bpe import Bpe
from unrolled.data.encodings._bytes import Bytes
from unrolled.data.encodings._cells import Cells, is_text, open_cells, plain, smallest_dtype
from unrolled.data.encodings._characters import Characters
from unrolled.data.encodings._gather import Gather, frame
from unrolled.data.encodings._labels import looks_like_labels
from unrolled.data.encodings._level import BEGIN, END, UNKNOWN, Level
from unrolled.data.encodings._normal import Normal, normal_text, normal_texts
from unrolled.data.encodings._pieces import Piece, as_text, pieces, raw
from unrolled.data.encodings._pretrained import Pretrained
from unrolled.data.encodings._stored import Stored, load
from unrolled.data.encodings._words import Words, count_words
from unrolled.errors import DataError, ModelError

__all__ = ["Tokens"]

_BLOCK = 1 << 24  # ids looked at together
_MANY_WORDS = 20_000  # different ones, each there twice or more: there are then always some that words would leave out


class _Stored(Stored):
    kind: Literal["tokens"]
    level: Literal["characters", "words", "bpe", "bytes", "pretrained"]
    framed: bool
    items: bool
    normal: Normal
    symbols: str | list[str] | list[list[str]] | None


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """A column of texts, or of lists of words.

    Attributes:
        level: what a token is.
        framed: each row is ``<begin> … <end>``.
        items: a cell is a list of texts, each of which is a token as it stands.
        normal: the form of Unicode that a text is brought to first.

    Example:
        >>> column = pa.chunked_array([["abba", "b"]])
        >>> tokens = Tokens.fit(column, Options(tokens="characters"), Where("memory", "text"))
        >>> encoded = tokens.encode(column, Where("memory", "text"))
        >>> encoded.values, encoded.offsets
        (array([3, 4, 4, 3, 4], dtype=uint8), array([0, 4, 5]))
    """

    kind: ClassVar[str] = "tokens"
    unknown: ClassVar[int] = UNKNOWN
    begin: ClassVar[int] = BEGIN
    end: ClassVar[int] = END
    never: ClassVar[tuple[int, ...]] = (UNKNOWN, BEGIN)  # the ids that are no answer

    level: Level
    framed: bool
    items: bool
    normal: Normal = "none"

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """Texts and lists of texts, unless they look like labels."""
        array = plain(array)
        value = array.type.value_type if has_time(array.type) else array.type
        if not is_text(value):
            return 0
        return 30 if looks_like_labels(array) else 70

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Options, where: Where) -> Self:
        """Learn the vocabulary. Without `Options.tokens` a text's tokens are characters; a list's are always words.

        With ``words or bpe`` they are BPE tokens where training has more than twenty thousand words twice or more.

        Raises:
            DataError: the column holds neither texts nor lists of texts or whole numbers, or one is not UTF-8.
        """
        array = plain(array)
        items = has_time(array.type)
        cells = _open(array, where, items)
        cells = replace(cells, flat=cells.flat.drop_null())
        normal = options.normalise

        def texts() -> Iterator[pa.Array]:
            return (piece.texts for piece in _checked(cells, normal))

        if items:
            words = Words.fit(texts(), options.vocabulary, items=True, least=options.least)
            return cls(words, options.framed, items, normal)
        if options.encoder is not None:
            return cls(Pretrained.open(options.encoder), framed=False, items=False)
        level: Level
        match options.tokens:
            case "words" | "words or bpe":
                counts = count_words(texts(), items=False)
                many = sum(count > 1 for count in counts.values()) > _MANY_WORDS
                if many and options.tokens == "words or bpe":
                    level = Bpe.fit(texts(), options.vocabulary)
                else:
                    level = Words.of(counts, options.vocabulary, items=False, least=options.least)
            case "bpe":
                level = Bpe.fit(texts(), options.vocabulary)
            case "bytes":
                level, normal = Bytes(), "none"
            case _:
                level = Characters.fit(texts())
        return cls(level, options.framed, items, normal)

    @property
    def spec(self) -> Discrete:
        """The vocabulary and the three specials."""
        return Discrete(self.level.size, encoder=self.level.config if isinstance(self.level, Pretrained) else None)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N,) unsigned integers, as narrow as the vocabulary allows; memory-mapped from ``cache`` if over 64 MB.

        Raises:
            DataError: the column holds something else than in training, or a text is not UTF-8.
            SpaceError: ``cache`` lies on a full disk.
        """
        array = plain(array)
        if self.items:
            return self._encode_items(array, where)
        lengths = np.zeros(len(array), np.int64)
        gather = Gather(smallest_dtype(self.level.size), cache)
        for piece in _checked(_open(array, where, items=False), self.normal):
            ids, counts = self.level.encode(piece.texts)
            if self.framed:
                ids, counts = frame(ids, counts, BEGIN, END, piece.begins, piece.ends)
            lengths[piece.row : piece.row + len(counts)] += counts
            gather.add(ids)
        if isinstance(self.level, Pretrained) and (lengths > self.level.longest).any():
            row = where.row(int(np.argmax(lengths)))
            raise DataError("is a text of megabytes, cut it into pieces", file=where.file, row=row, column=where.column)
        return Encoded(gather.finish(), _offsets(lengths))

    def _encode_items(self, array: pa.ChunkedArray, where: Where) -> Encoded:
        cells = _open(array, where, items=True)
        assert cells.offsets is not None
        ids = [self.level.encode(normal_texts(chunk, self.normal))[0] for chunk in cells.flat.chunks]
        values = np.concatenate([np.zeros(0, smallest_dtype(self.level.size)), *ids])
        if not self.framed:
            return Encoded(values, cells.offsets)
        values, lengths = frame(values, np.diff(cells.offsets), BEGIN, END, first=True, last=True)
        return Encoded(values, _offsets(lengths))

    def encode_text(self, text: str) -> np.ndarray:
        """The ids of a prompt, which a model is to continue: begun where rows are framed, and not ended.

        Where cells are lists, the items of a prompt stand apart by blanks.
        """
        text = self.normalised(text)
        ids = self.level.encode(pa.array(text.split() if self.items else [text], pa.large_string()))[0]
        return np.concatenate([np.array([BEGIN] * self.framed, ids.dtype), ids])

    def normalised(self, text: str) -> str:
        """``text`` as it is read."""
        return normal_text(text, self.normal)

    def encode_one(self, value: Any, where: Where) -> np.ndarray:
        """The id of one token's text, shape (). ``None`` is unknown.

        Raises:
            DataError: it is not exactly one token.
        """
        if value is None:
            return np.array(UNKNOWN, smallest_dtype(self.level.size))
        if self.items and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        found = f"{str(value)[:40]!r} is not a text"
        if isinstance(value, str):
            ids = self.level.encode(pa.array([self.normalised(value)], pa.large_string()))[0]
            if len(ids) == 1:
                return np.array(ids[0])
            found = f"{value[:40]!r} has {len(ids)}"
        message = f"one step is one token ({self.level.name}), and {found}"
        raise DataError(message, file=where.file, column=where.column)

    def decode(self, values: np.ndarray) -> str | list[str]:
        """The text, or with ``items`` the list; without ``<begin>`` and ``<end>``. Unknown tokens are shown as such."""
        ids = np.asarray(values)
        ids = ids[(ids != BEGIN) & (ids != END)]
        if self.items and isinstance(self.level, Words):
            return self.level.words(ids)
        return self.level.decode(ids)

    def decode_stream(self, begun: bool = False) -> Callable[[int], str]:
        """A function that takes ids one by one and returns what each adds to the text.

        With ``begun`` a text stands before it already, from which a first word is set apart. Only whole characters are
        returned: the bytes of an unfinished one wait for the next id.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def add(id_: int) -> str:
            nonlocal begun
            if id_ in (BEGIN, END):
                return ""
            text = decoder.decode(self.level.piece(id_, begun))
            begun = True
            return text

        return add

    def unseen(self, text: str) -> list[str]:
        """The characters or words of ``text`` that training did not hold, each once, in order."""
        text = self.normalised(text)
        parts = text if self.level.name == "characters" else text.split()
        return [part for part in dict.fromkeys(parts) if UNKNOWN in self.encode_text(part)]

    def unknown_rate(self, values: np.ndarray) -> float:
        """The share of ``<unknown>`` among the tokens, ``<begin>`` and ``<end>`` left out; 0 of no tokens."""
        unknown = tokens = 0
        for start in range(0, len(values), _BLOCK):
            block = np.asarray(values[start : start + _BLOCK])
            unknown += int(np.count_nonzero(block == UNKNOWN))
            tokens += len(block) - int(np.count_nonzero((block == BEGIN) | (block == END)))
        return unknown / tokens if tokens else 0.0

    def to_config(self) -> dict[str, Any]:
        """The vocabulary."""
        return {
            "kind": self.kind,
            "level": self.level.name,
            "framed": self.framed,
            "items": self.items,
            "normal": self.normal,
            "symbols": self.level.symbols(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: it is not ours.
        """
        stored = load(_Stored, config, cls.kind)
        return cls(_level(stored), stored.framed, stored.items, stored.normal)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What a user should know of a column that was encoded: how much of it is unknown, or nothing."""
        if isinstance(self.level, Pretrained):
            full = int((encoded.lengths() >= self.level.longest).sum())
            return f"{full} of {len(array)} have the {self.level.longest} tokens at which they are cut" if full else ""
        rate = self.unknown_rate(encoded.values)
        what = "items" if self.items else self.level.name
        why = (
            "were not seen in training" if self.level.name == "characters" else "are rare, or were not seen in training"
        )
        return f"{rate:.2%} of the {what} {why}" if rate else ""

    def report(self) -> str:
        """One line."""
        return self.level.report()


def _level(stored: _Stored) -> Level:
    symbols = stored.symbols
    distinct = symbols is None or len({*map(str, symbols)}) == len(symbols)
    match stored.level:
        case "characters" if isinstance(symbols, str) and list(symbols) == sorted(symbols) and distinct:
            return Characters(symbols)
        case "words" if isinstance(symbols, list) and all(isinstance(word, str) for word in symbols) and distinct:
            return Words([str(word) for word in symbols], stored.items)
        case "bytes" if symbols is None:
            return Bytes()
        case "bpe" if isinstance(symbols, list) and all(_is_pair(merge) for merge in symbols) and distinct:
            try:
                return Bpe([(merge[0], merge[1]) for merge in symbols])
            except ValueError as error:
                raise ModelError(f"the tokens encoding of this model cannot be read: {error}") from None
        case "pretrained" if (
            isinstance(symbols, list) and len(symbols) == 2 and all(isinstance(s, str) for s in symbols)
        ):
            try:
                return Pretrained(str(symbols[0]), str(symbols[1]))
            except (ValueError, RecursionError) as error:
                raise ModelError(f"the tokens encoding of this model cannot be read: {error}") from None
    raise ModelError(f"the tokens encoding of this model cannot be read: its symbols are not {stored.level}")


def _is_pair(merge: str | list[str]) -> bool:
    return isinstance(merge, list) and len(merge) == 2


def _open(array: pa.ChunkedArray, where: Where, items: bool) -> Cells:
    """The column's texts, which are the items of its cells if ``items``."""
    cells = open_cells(array, where, items)
    if pa.types.is_null(cells.flat.type):
        return replace(cells, flat=cells.flat.cast(pa.large_string()))
    if items and pa.types.is_integer(cells.flat.type):  # digits, or ids of something: names, not amounts
        return replace(cells, flat=cells.flat.cast(pa.large_string()))
    if not is_text(cells.flat.type):
        wanted = "lists of texts or whole numbers" if items else "texts"
        message, hint = f"holds {array.type}, where {wanted} are expected", "name another kind for it, or leave it out"
        raise DataError(message, file=where.file, column=where.column, hint=hint)
    return cells


def _checked(cells: Cells, normal: Normal) -> Iterator[Piece]:
    """The pieces of the texts, ``normal``, once they are known to be UTF-8: Arrow takes that on trust from a file."""
    for piece in pieces(cells.flat):
        data, offsets = raw(piece.texts)
        try:
            as_text(data)
        except UnicodeDecodeError as error:
            row = piece.row + int(np.searchsorted(offsets, error.start, side="right")) - 1
            hint = "name the encoding of the file, such as --text-encoding latin-1"
            raise cells.error(row, f"byte 0x{data[error.start]:02x} is not UTF-8", hint) from None
        yield replace(piece, texts=normal_texts(piece.texts, normal))


def _offsets(lengths: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


MEMBER = Tokens
