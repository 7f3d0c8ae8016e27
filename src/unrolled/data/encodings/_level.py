"""What a token is: the part of `Tokens` that differs between characters, bytes, words and BPE."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa

__all__ = ["BEGIN", "END", "SPECIALS", "UNKNOWN", "Level"]

UNKNOWN, BEGIN, END = 0, 1, 2
SPECIALS = 3  # the id of the first token of a level


class Level(Protocol):
    """Texts to ids and back. Ids start at `SPECIALS`; `UNKNOWN` is what the vocabulary lacks."""

    name: ClassVar[str]

    @property
    def size(self) -> int:
        """The ids in use, specials included."""

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all texts (no nulls) end to end, and (n,) int64 how many each has."""

    def decode(self, ids: np.ndarray) -> str:
        """The text of ``ids``, which hold neither `BEGIN` nor `END`."""

    def piece(self, id_: int, begun: bool) -> bytes:
        """The UTF-8 bytes that one id adds to a text, ``begun`` or not; they may end within a character."""

    def symbols(self) -> str | list[str] | list[list[str]] | None:
        """The vocabulary as JSON."""

    def report(self) -> str:
        """What there is, in a few words: ``65 characters``."""
