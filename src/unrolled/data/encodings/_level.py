"""Token levels: the part of `Tokens` that differs between characters, bytes, words and BPE."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa

__all__ = ["BEGIN", "END", "SPECIALS", "UNKNOWN", "Level", "stream", "unknown_rate"]

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

    def piece(self, id_: int, begun: bool) -> bytes:
        """The UTF-8 bytes of one id, which may end within a character; ``begun``: other text precedes it."""

    def symbols(self) -> str | list[str] | list[list[str]] | None:
        """The vocabulary as JSON."""

    def report(self) -> str:
        """The vocabulary in a few words: ``65 characters``."""


def stream(level: Level, begun: bool) -> Callable[[int], str]:
    """A function that takes ids one by one and returns the text that each adds; ``begun``: other text precedes them.

    It returns only whole characters: the bytes of an unfinished one wait for the next id.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(id_: int) -> str:
        nonlocal begun
        if id_ in (BEGIN, END):
            return ""
        text = decoder.decode(level.piece(id_, begun))
        begun = True
        return text

    return add


def unknown_rate(values: np.ndarray) -> float:
    """The share of ``<unknown>`` among the tokens, not counting ``<begin>`` and ``<end>``; 0 without tokens."""
    unknown = tokens = 0
    for start in range(0, len(values), _BLOCK):
        block = np.asarray(values[start : start + _BLOCK])
        unknown += int(np.count_nonzero(block == UNKNOWN))
        tokens += len(block) - int(np.count_nonzero((block == BEGIN) | (block == END)))
    return unknown / tokens if tokens else 0.0
