"""Token levels: the part of `Tokens` that differs between characters, bytes, words and BPE."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._cells import smallest_dtype

__all__ = ["BEGIN", "END", "SPECIALS", "UNKNOWN", "Level", "single_tokens", "stream", "unknown_rate"]

UNKNOWN, BEGIN, END = 0, 1, 2
SPECIALS = 3  # the id of the first token of a level
_BLOCK = 1 << 24  # ids counted at a time


class Level(Protocol):
    """Turns texts into ids and back. The first token has the id `SPECIALS`; `UNKNOWN` stands for all unknown tokens."""

    name: ClassVar[str]

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones."""

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all texts (no nulls) end to end, and (n,) int64 how many each has."""

    def decode(self, ids: np.ndarray) -> str:
        """The text of ``ids``, which hold neither `BEGIN` nor `END`."""

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """A function that takes the ids of a text that follows ``before`` and returns the UTF-8 bytes that each adds.

        They may end within a character.
        """

    def symbols(self) -> str | list[str] | list[list[str]] | None:
        """The vocabulary as JSON."""

    def report(self) -> str:
        """The vocabulary in a few words: ``65 characters``."""


def stream(level: Level, before: str) -> Callable[[int], str]:
    """A function that takes ids one by one and returns the text that each adds after the text ``before``.

    It returns only whole characters: the bytes of an unfinished one wait for the next id.
    """
    decoder, piece = codecs.getincrementaldecoder("utf-8")("replace"), level.pieces(before)
    return lambda id_: "" if id_ in (BEGIN, END) else decoder.decode(piece(id_))


def unknown_rate(values: np.ndarray) -> float:
    """The share of ``<unknown>`` among the tokens, not counting ``<begin>`` and ``<end>``; 0 without tokens."""
    unknown = tokens = 0
    for start in range(0, len(values), _BLOCK):
        block = np.asarray(values[start : start + _BLOCK])
        unknown += int(np.count_nonzero(block == UNKNOWN))
        tokens += len(block) - int(np.count_nonzero((block == BEGIN) | (block == END)))
    return unknown / tokens if tokens else 0.0


def single_tokens(level: Level, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(N,), the ids of N values, and (N,) bool: which of them are texts of one ASCII token."""
    fits = np.array([type(value) is str and value.isascii() for value in values], bool)
    if not fits.all():
        values = [value if fit else "" for value, fit in zip(values, fits.tolist(), strict=True)]
    ids, counts = level.encode(pa.array(values, pa.large_string()))
    one, found = counts == 1, np.zeros(len(values), smallest_dtype(level.size))
    found[one] = ids[np.repeat(one, counts)]
    return found, one & fits
