"""Tokens that are characters: the Unicode code points of the training texts, in ascending order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._cells import smallest_dtype
from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._pieces import as_text, raw

__all__ = ["CharacterSet", "Characters"]

_CODE_POINTS = 0x110000
_REPLACEMENT = 0xFFFD  # Unicode's replacement for an unknown character


class Characters:
    """One token for each known code point.

    Args:
        characters: the known characters, in ascending order.
    """

    name: ClassVar[str] = "characters"

    def __init__(self, characters: str) -> None:
        codes = np.array([_REPLACEMENT] * SPECIALS + [ord(character) for character in characters], np.uint32)
        self._codes = codes
        self._ids = np.zeros(_CODE_POINTS, smallest_dtype(len(codes)))
        self._ids[codes[SPECIALS:]] = np.arange(SPECIALS, len(codes))

    @classmethod
    def fit(cls, texts: Iterable[pa.Array]) -> Self:
        """Learn every character that occurs in ``texts``."""
        found = CharacterSet()
        for part in texts:
            found.add(part)
        return cls(found.text)

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones."""
        return len(self._codes)

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """One id per code point, and how many each text has."""
        data, offsets = raw(texts)
        codes = _code_points(data)
        if len(texts) == 1:
            return self._ids[codes], np.array([len(codes)], np.int64)
        if len(codes) == len(data):
            return self._ids[codes], np.diff(offsets).astype(np.int64)
        before = np.zeros(len(data) + 1, np.int64)
        np.cumsum(data & 0xC0 != 0x80, out=before[1:])  # each byte starts a character unless it is 10xxxxxx
        return self._ids[codes], np.diff(before[offsets])

    def decode(self, ids: np.ndarray) -> str:
        """The text, with U+FFFD for unknown characters."""
        return _text(self._codes[ids])

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """The UTF-8 bytes of each character."""
        return lambda id_: chr(self._codes[id_]).encode()

    def symbols(self) -> str:
        """All known characters in one string."""
        return _text(self._codes[SPECIALS:])

    def report(self) -> str:
        """``65 characters``."""
        return f"{self.size - SPECIALS} characters"


class CharacterSet:
    """The characters of texts, collected part by part."""

    def __init__(self) -> None:
        self._seen = np.zeros(_CODE_POINTS, bool)

    def add(self, texts: pa.Array) -> None:
        """Add those of ``texts``."""
        self._seen[_code_points(raw(texts)[0])] = True

    @property
    def text(self) -> str:
        """All of them, in ascending order."""
        return _text(np.flatnonzero(self._seen))

    def found(self) -> Characters:
        """The level of these characters."""
        return Characters(self.text)


def _code_points(data: np.ndarray) -> np.ndarray:
    if not len(data) or data.max() < 0x80:
        return data
    return np.frombuffer(as_text(data).encode("utf-32-le"), np.uint32)


def _text(codes: np.ndarray) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le")
