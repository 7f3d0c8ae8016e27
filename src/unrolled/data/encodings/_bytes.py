"""Tokens that are bytes of UTF-8: 256 of them, nothing to learn, nothing unknown."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._level import SPECIALS
from unrolled.data.encodings._pieces import raw

__all__ = ["Bytes"]


class Bytes:
    """The id of a byte is its value, after the specials."""

    name: ClassVar[str] = "bytes"

    @property
    def size(self) -> int:
        """259."""
        return 256 + SPECIALS

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """One id a byte."""
        data, offsets = raw(texts)
        return data.astype(np.uint16) + np.uint16(SPECIALS), np.diff(offsets).astype(np.int64)

    def decode(self, ids: np.ndarray) -> str:
        """The text; U+FFFD for bytes that are not UTF-8."""
        return (ids[ids >= SPECIALS] - SPECIALS).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def piece(self, id_: int, begun: bool) -> bytes:
        """One byte."""
        return bytes([id_ - SPECIALS]) if id_ >= SPECIALS else b""

    def symbols(self) -> None:
        """Nothing."""

    def report(self) -> str:
        """``256 bytes``."""
        return "256 bytes"
