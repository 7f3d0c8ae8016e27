"""Tokens of a ``tokenizer.json`` that the user gives, as Hugging Face's ``tokenizers`` reads and writes it.

Its contents are stored with the run, which then no longer needs the file. A tokenizer file cannot run code; the worst
that a malicious one can do is to abort the process. Texts come back exactly if the tokenizer keeps them, as byte-level
ones do; the tokenizer of BERT, for instance, loses case and blanks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, decoders

from unrolled.data.encodings._cells import smallest_dtype
from unrolled.data.encodings._level import SPECIALS, UNKNOWN
from unrolled.data.io.mapped import map_file
from unrolled.errors import DataError, named

__all__ = ["Given", "incremental", "opened"]


class Given:
    """A tokenizer from a file. The id of a token is the one in the file plus the number of special tokens.

    Args:
        stored: the contents of ``tokenizer.json``.

    Raises:
        ValueError: it cannot be read, or has no token.
    """

    name: ClassVar[str] = "tokenizer"

    def __init__(self, stored: str) -> None:
        self._stored, self._tokenizer = stored, opened(stored)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._size = max(self._tokenizer.get_vocab().values(), default=-1) + 1
        if not self._size:
            raise ValueError("it has no token")
        if self._tokenizer.decoder is None and '"ByteLevel"' in stored:
            self._tokenizer.decoder = decoders.ByteLevel()
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        self._unknown = None if unknown is None else self._tokenizer.token_to_id(unknown)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The tokenizer in a file.

        Raises:
            DataError: there is no such file, or it is not a ``tokenizer.json``.
        """
        data = map_file(path)
        try:
            return cls(str(memoryview(data), "utf-8"))
        except (ValueError, RecursionError) as error:
            hint = f"{named('tokens')} takes a tokenizer.json as Hugging Face's tokenizers writes it"
            raise DataError(f"is not a tokenizer: {error}", file=str(path), hint=hint) from None

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones."""
        return self._size + SPECIALS

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all texts end to end, and how many each text has."""
        found = self._tokenizer.encode_batch_fast(texts.to_pylist(), add_special_tokens=False)
        counts = np.array([len(row.ids) for row in found], np.int64)
        ids = np.concatenate([np.zeros(0, np.int64), *(np.array(row.ids, np.int64) for row in found)])
        unknown = ids == self._unknown if self._unknown is not None else np.zeros(len(ids), bool)
        return np.where(unknown, UNKNOWN, ids + SPECIALS).astype(smallest_dtype(self.size)), counts

    def decode(self, ids: np.ndarray) -> str:
        """The text, as the tokenizer's decoder writes it."""
        known = [self._own(id_) for id_ in np.asarray(ids).tolist()]
        return str(self._tokenizer.decode([id_ for id_ in known if id_ is not None], skip_special_tokens=False))

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """What each token adds to the text."""
        piece = incremental(self._tokenizer)

        def add(id_: int) -> bytes:
            own = self._own(id_)
            return b"" if own is None else piece(own)

        return add

    def symbols(self) -> list[str]:
        """The contents of the file."""
        return [self._stored]

    def report(self) -> str:
        """``32000 tokens of a BPE tokenizer``."""
        return f"{self._size} tokens of a given tokenizer ({json.loads(self._stored)['model'].get('type') or 'BPE'})"

    def _own(self, id_: int) -> int | None:
        """The tokenizer's own id of a token; ``None`` for a special token that it does not have."""
        return id_ - SPECIALS if id_ >= SPECIALS else self._unknown if id_ == UNKNOWN else None


def opened(stored: str) -> Tokenizer:
    """The tokenizer in the contents of a ``tokenizer.json``; raises `ValueError` if there is none."""
    try:
        return Tokenizer.from_str(stored)
    except Exception as error:  # it has no narrower exception
        raise ValueError(f"its tokenizer.json cannot be read: {str(error)[:200]}") from None


def incremental(tokenizer: Tokenizer) -> Callable[[int], bytes]:
    """A function that takes a tokenizer's ids one by one and returns the whole characters that each adds."""
    stream = decoders.DecodeStream(skip_special_tokens=False)
    return lambda id_: (stream.step(tokenizer, id_) or "").encode()
