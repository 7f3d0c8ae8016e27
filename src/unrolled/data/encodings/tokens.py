"""Tokens: a text as ids of its characters, words, byte-pair tokens or bytes; a list as one id per item.

Ids 0, 1 and 2 are ``<unknown>``, ``<begin>`` and ``<end>``. Decoding restores a text of known tokens exactly, with its
blanks and its case, in the Unicode normal form of the training texts. Only the words of a column that is only read are
folded: lower case, single spaces, addresses and mentions as ``<url>`` and ``<user>``. Lists have their own encoding of
the same kind, in `unrolled.data.encodings._token_lists`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import field_validator

from unrolled.batch import Discrete
from unrolled.config import option
from unrolled.data.encodings._bpe import Bpe
from unrolled.data.encodings._bytes import Bytes
from unrolled.data.encodings._cells import is_text, plain, smallest_dtype
from unrolled.data.encodings._characters import Characters
from unrolled.data.encodings._gather import Gather, frame
from unrolled.data.encodings._labels import looks_like_labels
from unrolled.data.encodings._level import BEGIN, END, UNKNOWN, Level, single_tokens, stream, unknown_rate
from unrolled.data.encodings._normal import Normal, normal_text
from unrolled.data.encodings._pretrained import Pretrained
from unrolled.data.encodings._spelling import Spelling, reads_letters
from unrolled.data.encodings._stored import load
from unrolled.data.encodings._stored_tokens import StoredTokens, level_of, spelling_of, stored_appended, stored_letters
from unrolled.data.encodings._text_statistics import TextStatistics, Wanted, learned
from unrolled.data.encodings._texts import checked, filled, filled_texts, normal_for, open_texts, starts
from unrolled.data.encodings._token_lists import ListOptions, TokenLists
from unrolled.data.encodings._tokenizer import Given
from unrolled.data.encodings._unspaced import are_single_words, needs_characters
from unrolled.data.encodings._words import Words, split_words
from unrolled.data.encodings._written_words import WrittenWords
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where, has_time
from unrolled.data.encodings.facets import Statistics
from unrolled.errors import DataError, UsageError, did_you_mean, named

__all__ = ["Tokens"]

_LEVELS = ("characters", "words", "bpe", "bytes")
_BY_LETTERS = {"words": needs_characters, "words or bpe": needs_characters, "bpe": are_single_words}
_TRIED = 100  # texts on which a given tokenizer is tried


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """A column of texts.

    Attributes:
        level: what a token is.
        framed: each row is put between ``<begin>`` and ``<end>``.
        normal: the Unicode normal form that a text is converted to first.
        spelling: the letters of the words; ``None`` where they are not read.

    Example:
        >>> column = pa.chunked_array([["abba", "b"]])
        >>> tokens = Tokens.fit(column, Tokens.Options(tokens="characters"), Role(), Where("memory", "text"))
        >>> encoded = tokens.encode(column, Where("memory", "text"))
        >>> encoded.values, encoded.offsets
        (array([3, 4, 4, 3, 4], dtype=uint8), array([0, 4, 5]))
    """

    class Options(ListOptions):
        """The options for texts."""

        tokens: str | None = option(
            None,
            "Split texts into characters, words, byte-pair tokens (bpe) or bytes, or as a tokenizer.json says, whose "
            "path is given. Default: characters for next_step and transcribe, bpe for translate, else words; bpe if "
            "classify finds very many words, characters if it finds codes or no blanks between words.",
            also=("tokenizer", "tokenize", "token_level", "analyzer"),
        )

        @field_validator("tokens")
        @classmethod
        def _level_or_file(cls, tokens: str | None) -> str | None:
            if tokens is not None and tokens not in _LEVELS and not tokens.endswith(".json"):
                raise ValueError(
                    f"Input should be {', '.join(map(repr, _LEVELS))} or the path of a tokenizer.json"
                    f"{did_you_mean(tokens, _LEVELS)}"
                )
            return tokens

    kind: ClassVar[str] = "tokens"
    traits: ClassVar[Traits] = Traits(text=True, verbatim=True)
    rule: ClassVar[str] = "the id of each token: 0 is <unknown>, 1 <begin>, 2 <end>, then the symbols in their order"
    form: ClassVar[str] = "texts"
    folded: ClassVar[bool] = True
    begin: ClassVar[int] = BEGIN
    end: ClassVar[int] = END
    never: ClassVar[tuple[int, ...]] = (UNKNOWN, BEGIN)

    level: Level
    framed: bool
    normal: Normal = "none"
    spelling: Spelling | None = None

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """70 for texts and lists of texts, 30 if they look like labels."""
        array = plain(array)
        value = array.type.value_type if has_time(array.type) else array.type
        if not is_text(value):
            return 0
        return 30 if looks_like_labels(array) else 70

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Tokens.Options, role: Role, where: Where) -> Self | TokenLists:
        """Learn the vocabulary; for a column of lists, return a `TokenLists`.

        For a role with ``words or bpe`` the tokens are BPE if more than 20,000 distinct words occur at least twice, and
        characters if most words are codes, such as the numbers of tickets. For a role with words they are characters
        where `needs_characters` says so.

        Raises:
            DataError: the column holds neither texts nor lists of texts or whole numbers, or a text is not UTF-8.
            UsageError: letters are asked for, and tokens that are not words.
        """
        array = plain(array)
        if options.letters and options.tokens not in (None, "words"):
            raise UsageError(f"{named('letters')} only works with words: leave {named('tokens')} out, or the letters")
        if has_time(array.type):
            return TokenLists.fit(array, options, role, where)
        cells = filled(array, where, items=False)
        if role.encoder is not None:
            return cls(Pretrained.open(role.encoder), framed=False)
        wanted = options.tokens or role.tokens
        if options.tokens is None and wanted in _BY_LETTERS and _BY_LETTERS[wanted](cells.flat):
            wanted = "characters"
        if wanted.endswith(".json"):
            return cls(Given.open(Path(wanted)), role.framed)
        if wanted == "bytes":
            return cls(Bytes(), role.framed)
        normal = normal_for(options.normalise, cells, role)

        def texts() -> Iterator[pa.Array]:
            return (piece.texts for piece in checked(cells, normal))

        level = learned(wanted, texts, options.vocabulary, options.min_count, read=role.read)
        if not reads_letters(options.letters, role) or not isinstance(level, Words):
            return cls(level, role.framed, normal)
        return cls(level, role.framed, normal, Spelling.fit(split_words(part, lower=False)[0] for part in texts()))

    @classmethod
    def statistics(cls, options: Tokens.Options, role: Role, where: Where, *, time: bool) -> Statistics | None:
        """What the vocabulary of lists, or of texts that are only read, is made of, to be collected part by part."""
        if time:
            return TokenLists.statistics(options, role)
        level = options.tokens or role.tokens
        if role.encoder is not None or not role.read or role.framed or options.letters or level.endswith(".json"):
            return None
        split = Wanted(level, None if options.tokens else _BY_LETTERS.get(level), options.vocabulary, options.min_count)
        normal: Normal = "none" if level == "bytes" else options.normalise or "nfc"
        return TextStatistics(split, normal, lambda level: cls(level, framed=False, normal=normal))

    @property
    def spec(self) -> Discrete:
        """The tokens, including the three special ones."""
        encoder = self.level.config if isinstance(self.level, Pretrained) else None
        return Discrete(self.level.size, encoder=encoder, appended=self.appended)

    @property
    def appended(self) -> int:
        """How many of the words, the last ones, came after the first training."""
        return self.level.appended if isinstance(self.level, Words) else 0

    @property
    def unit(self) -> Literal["character", "token"]:
        """The unit of this column's metrics, such as ``bits_per_character``."""
        return "character" if isinstance(self.level, Characters) else "token"

    @property
    def words(self) -> Sequence[str] | None:
        """The known words; ``None`` if tokens are not words."""
        return self.level.symbols() if isinstance(self.level, Words | WrittenWords) else None

    @property
    def settled(self) -> dict[str, str | bool]:
        """The options that `fit` settled: what a token is, and whether its letters are read."""
        return {"tokens": self.level.name, "letters": self.spelling is not None}

    def reads(self, array: pa.ChunkedArray) -> bool:
        """Whether a column holds texts, even if they look like labels."""
        return self.recognises(array) > 0 and not has_time(array.type)

    def reused(self, options: Tokens.Options, role: Role) -> Self:
        """The same tokens, framed if ``role`` is, and with their letters where they are only read."""
        return replace(self, framed=role.framed, spelling=self.spelling if role.read else None)

    def extended(self, array: pa.ChunkedArray, options: Tokens.Options, where: Where) -> Self:
        """The same, with the new words of a column appended; tokens of other levels stay."""
        if not isinstance(self.level, Words):
            return self
        texts = filled_texts(array, where, self.normal, items=False)
        return replace(self, level=self.level.extended(texts, options.vocabulary, options.min_count))

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N,) unsigned integers, as narrow as the vocabulary allows; memory-mapped from ``cache`` if over 64 MB.

        Raises:
            DataError: the column does not hold texts, or a text is not UTF-8 or far too long.
            SpaceError: the disk that holds ``cache`` is full.
        """
        array = plain(array)
        lengths = np.zeros(len(array), np.int64)
        gather = Gather(smallest_dtype(self.level.size), cache)
        for piece in checked(open_texts(array, where, items=False), self.normal):
            if isinstance(self.level, WrittenWords):
                ids, counts = self.level.encode(piece.texts, piece.before)
            else:
                ids, counts = self.level.encode(piece.texts)
            if self.framed:
                ids, counts = frame(ids, counts, BEGIN, END, piece.begins, piece.ends)
            lengths[piece.row : piece.row + len(counts)] += counts
            gather.add(ids)
        if isinstance(self.level, Pretrained) and (lengths > self.level.longest).any():
            row = where.row(int(np.argmax(lengths)))
            raise DataError("the text is too long; split it", file=where.file, row=row, column=where.column)
        return Encoded(gather.finish(), starts(lengths))

    def spell(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, L) unsigned integers: the letters of each word; memory-mapped from ``cache`` if over 64 MB."""
        assert self.spelling is not None
        array = plain(array)
        lengths = np.zeros(len(array), np.int64)
        gather = Gather(self.spelling.dtype, cache)
        for piece in checked(open_texts(array, where, items=False), self.normal):
            words, counts = split_words(piece.texts, lower=False)
            lengths[piece.row : piece.row + len(counts)] += counts
            gather.add(self.spelling.encode(words))
        return Encoded(gather.finish().reshape(-1, self.spelling.width), starts(lengths))

    def spell_live(self, value: Any) -> np.ndarray:
        """(n, L), the letters of each word of a text that `encode_live` takes; ``None`` is one word without letters."""
        assert self.spelling is not None
        if value is None:
            return self.spelling.encode(pa.nulls(1, pa.large_string()))
        text = normal_text(value, self.normal)
        return self.spelling.encode(split_words(pa.array([text], pa.large_string()), lower=False)[0])

    def encode_text(self, text: str) -> np.ndarray:
        """The ids of a prompt; with ``<begin>`` if rows are framed, but without ``<end>``."""
        ids = self._ids(text)
        return np.concatenate([np.array([BEGIN], ids.dtype), ids]) if self.framed else ids

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(n,), the ids of a text's tokens, and an empty memory. ``None`` is one unknown token.

        Raises:
            DataError: it is not a text.
        """
        if value is None:
            return np.array([UNKNOWN], smallest_dtype(self.level.size)), []
        if not isinstance(value, str):
            message = f"expected a text ({self.level.name}), got {str(value)[:40]!r}"
            raise DataError(message, file=where.file, column=where.column)
        return self._ids(value), []

    @property
    def remembers(self) -> bool:
        """No: a text does not depend on the one before."""
        return False

    def encode_together(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """(N,), the ids of N texts, and (N,) bool: which of them are one ASCII token."""
        return single_tokens(self.level, values)

    def decode(self, values: np.ndarray) -> str:
        """The text, without ``<begin>`` and ``<end>``; unknown tokens appear as ``<unknown>`` or U+FFFD."""
        ids = np.asarray(values)
        return self.level.decode(ids[(ids != BEGIN) & (ids != END)])

    def decode_stream(self, before: str = "") -> Callable[[int], str]:
        """A function that takes ids one by one and returns what each adds to a text that follows ``before``.

        It returns only whole characters: the bytes of an unfinished one wait for the next id.
        """
        return stream(self.level, before)

    def unseen(self, text: str) -> list[str]:
        """The characters or words of ``text`` that were not in the training data, each once, in order."""
        text = normal_text(text, self.normal)
        parts = text if isinstance(self.level, Characters) else text.split()
        return [part for part in dict.fromkeys(parts) if UNKNOWN in self._ids(part)]

    def to_config(self) -> dict[str, Any]:
        """The vocabulary, as JSON."""
        return {
            "kind": self.kind,
            "level": self.level.name,
            "framed": self.framed,
            "items": False,
            "normal": self.normal,
            "symbols": self.level.symbols(),
            **({"written": True} if isinstance(self.level, WrittenWords) else {}),
            **stored_letters(self.spelling),
            **stored_appended(self.level),
        }

    def tokenizer(self) -> str | None:
        """The contents of a ``tokenizer.json`` that Hugging Face's ``tokenizers`` opens, for byte-pair tokens.

        Its ids are those of `encode`; where rows are framed, it adds ``<begin>`` and ``<end>`` too.
        """
        return self.level.to_tokenizer(self.normal, self.framed) if isinstance(self.level, Bpe) else None

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self | TokenLists:
        """The inverse of `to_config`, for texts and for lists.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        stored = load(StoredTokens, config, cls.kind)
        if stored.items:
            return TokenLists.of(stored)
        return cls(level_of(stored), stored.framed, stored.normal, spelling_of(stored))

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how much is unknown or cut off, or ``""``."""
        if isinstance(self.level, Pretrained):
            full = int((encoded.lengths() >= self.level.longest).sum())
            return f"{full} of {len(array)} texts may be cut off at {self.level.longest} tokens" if full else ""
        if isinstance(self.level, Given) and (
            lost := sum(
                self.decode(self._ids(text)) != text for text in plain(array).slice(0, _TRIED).drop_null().to_pylist()
            )
        ):
            return f"{lost} of {min(len(array), _TRIED)} texts do not come back exactly from this tokenizer"
        rate = unknown_rate(encoded.values)
        rare = "" if isinstance(self.level, Characters) else "are rare, or "
        return f"{rate:.2%} of the {self.level.name} {rare}were not seen in training" if rate else ""

    def report(self) -> str:
        """A one-line summary."""
        return self.level.report() + (", with their letters" if self.spelling else "")

    def _ids(self, text: str) -> np.ndarray:
        """The ids of ``text``, without ``<begin>`` and ``<end>``."""
        return self.level.encode(pa.array([normal_text(text, self.normal)], pa.large_string()))[0]


MEMBER = Tokens
