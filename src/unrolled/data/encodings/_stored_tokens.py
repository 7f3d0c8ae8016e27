"""The JSON of a column of tokens, for texts and for lists, validated on loading."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from unrolled.data.encodings._bpe import Bpe
from unrolled.data.encodings._bytes import Bytes
from unrolled.data.encodings._characters import Characters
from unrolled.data.encodings._level import Level
from unrolled.data.encodings._normal import Normal
from unrolled.data.encodings._pretrained import Pretrained
from unrolled.data.encodings._spelling import Spelling
from unrolled.data.encodings._stored import Stored
from unrolled.data.encodings._tokenizer import Given
from unrolled.data.encodings._words import Words
from unrolled.data.encodings._written_words import WrittenWords
from unrolled.errors import ModelError

__all__ = ["StoredTokens", "level_of", "spelling_of", "stored_appended", "stored_letters"]


class StoredSpelling(Stored):
    """The JSON of the letters of words."""

    alphabet: str
    width: int = Field(ge=1)


class StoredTokens(Stored):
    """The JSON of a column of tokens; with ``items`` its cells are lists."""

    kind: Literal["tokens"]
    level: Literal["characters", "words", "bpe", "bytes", "pretrained", "tokenizer"]
    framed: bool
    items: bool
    normal: Normal
    symbols: str | list[str] | list[list[str]] | None
    written: bool = False  # words keep case and blanks
    letters: StoredSpelling | None = None
    appended: int = Field(0, ge=0)


def level_of(stored: StoredTokens) -> Level:
    """Rebuild the token level from its stored vocabulary.

    Raises:
        ModelError: the vocabulary does not fit the level.
    """
    symbols = stored.symbols
    distinct = symbols is None or len({*map(str, symbols)}) == len(symbols)
    match stored.level:
        case "characters" if isinstance(symbols, str) and list(symbols) == sorted(symbols) and distinct:
            return Characters(symbols)
        case "words" if isinstance(symbols, list) and all(isinstance(word, str) for word in symbols) and distinct:
            words = [str(word) for word in symbols]
            return (
                WrittenWords(words) if stored.written else Words(words, stored.items, min(stored.appended, len(words)))
            )
        case "bytes" if symbols is None:
            return Bytes()
        case "bpe" if isinstance(symbols, list) and all(_is_pair(merge) for merge in symbols) and distinct:
            try:
                return Bpe([(merge[0], merge[1]) for merge in symbols])
            except ValueError as error:
                raise ModelError(f"the tokens encoding of this model cannot be read: {error}") from None
        case "pretrained" | "tokenizer" if (
            isinstance(symbols, list)
            and len(symbols) == (2 if stored.level == "pretrained" else 1)
            and all(isinstance(s, str) for s in symbols)
        ):
            try:
                return Pretrained(*map(str, symbols)) if len(symbols) == 2 else Given(str(symbols[0]))
            except (ValueError, RecursionError) as error:
                raise ModelError(f"the tokens encoding of this model cannot be read: {error}") from None
    raise ModelError(f"the tokens encoding of this model cannot be read: its symbols are not {stored.level}")


def spelling_of(stored: StoredTokens) -> Spelling | None:
    """The letters of words that were stored; ``None`` where there are none.

    Raises:
        ModelError: they are not in order, or the tokens are not words.
    """
    if stored.letters is None:
        return None
    alphabet = stored.letters.alphabet
    if stored.level != "words" or stored.written or list(alphabet) != sorted({*alphabet}):
        raise ModelError("the tokens encoding of this model cannot be read: its letters are not those of words")
    return Spelling(alphabet, stored.letters.width)


def stored_letters(spelling: Spelling | None) -> dict[str, dict[str, str | int]]:
    """The JSON of `spelling_of`, to be added to that of an encoding."""
    return {} if spelling is None else {"letters": {"alphabet": spelling.alphabet, "width": spelling.width}}


def stored_appended(level: Level) -> dict[str, int]:
    """The JSON of the words that were appended, to be added to that of an encoding."""
    return {"appended": level.appended} if isinstance(level, Words) and level.appended else {}


def _is_pair(merge: str | list[str]) -> bool:
    return isinstance(merge, list) and len(merge) == 2
