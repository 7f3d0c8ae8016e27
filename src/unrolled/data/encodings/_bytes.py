"""Tokens that are UTF-8 bytes: a fixed vocabulary of 256, so nothing is learned and nothing is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._pieces import raw

__all__ = ["Bytes"]


class Bytes:
    """One token per byte; its id is the byte's value plus the number of special tokens."""

    name: ClassVar[str] = "bytes"

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones: 259."""
        return 256 + SPECIALS

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """One id per byte, and how many each text has."""
        data, offsets = raw(texts)
        return data.astype(np.uint16) + np.uint16(SPECIALS), np.diff(offsets).astype(np.int64)

    def decode(self, ids: np.ndarray) -> str:
        """The text, with U+FFFD for bytes that are not UTF-8."""
        return (ids[ids >= SPECIALS] - SPECIALS).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """The byte of each token."""
        return lambda id_: bytes([id_ - SPECIALS]) if id_ >= SPECIALS else b""

    def symbols(self) -> None:
        """``None``: there is no vocabulary to store."""

    def report(self) -> str:
        """``256 bytes``."""
        return "256 bytes"
