"""K-mers: every run of k neighbouring letters of a sequence is one token; neighbouring k-mers overlap.

Axes: N letters of all rows, R rows, M k-mers of all rows, K known k-mers, V letters of the alphabet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from unrolled.data.encodings._alphabets import FOREIGN, letter_ids
from unrolled.data.encodings._gather import Gather

__all__ = ["UNKNOWN", "Kmers"]

UNKNOWN = 0  # the id of a k-mer that was not in the training data
_BLOCK = 1 << 22  # letters encoded at a time

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kmers:
    r"""The k-mers in the training data. The code of the one at letter n is :math:`c_n = \sum_{j<k} V^{k-1-j} x_{n+j}`.

    Attributes:
        size: k.
        letters: V.
        codes: (K,) int64, ascending; the id of ``codes[i]`` is i + 1.
    """

    size: int
    letters: int
    codes: Codes = field(compare=False, repr=False)

    @classmethod
    def fit(cls, values: np.ndarray, offsets: Codes, size: int, letters: int, most: int) -> Self:
        """Learn the ``most`` frequent k-mers of the rows; among equally frequent ones, those with the lower code.

        Args:
            values: ids of letters.
            offsets: row r is ``values[offsets[r]:offsets[r + 1]]``.
            size: k, from 2 to 8, so that the code of a protein k-mer (28 letters) fits int64.
            letters: V.
            most: the largest K.

        Shape:
            values (N,) of an integer dtype, offsets (R + 1,) int64.
        """
        empty = cls(size, letters, np.zeros(0, np.int64))
        found, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        for block in empty._blocks(values, offsets):
            both = np.concatenate([found, block])
            weights = np.concatenate([counts, np.ones(len(block), np.int64)])
            found, where = np.unique(both, return_inverse=True)
            counts = np.bincount(where, weights, minlength=len(found)).astype(np.int64)
        return cls(size, letters, np.sort(found[np.argsort(-counts, kind="stable")[:most]]))

    def with_opposites(self, complement: Codes) -> Kmers:
        """These k-mers and their reverse complements, as read on the other strand."""
        return Kmers(self.size, self.letters, np.union1d(self.codes, self._opposite(complement)))

    def opposites(self, complement: Codes) -> Codes:
        """(K + 1,): the id of each k-mer's reverse complement, if `with_opposites` has added them all."""
        return np.concatenate([[UNKNOWN], self.find(self._opposite(complement))]).astype(np.int64)

    def find(self, codes: Codes) -> np.ndarray:
        """The ids of ``codes`` of any shape, in the smallest dtype that holds them."""
        at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[at] == codes, at + 1, UNKNOWN).astype(np.min_scalar_type(len(self.codes)))

    def encode(self, values: np.ndarray, offsets: Codes, cache: Path | None) -> tuple[np.ndarray, Codes]:
        """The ids of all k-mers, (M,), and where the rows start, (R + 1,); a row of fewer than k letters has none.

        Args:
            values, offsets: as in `fit`.
            cache: a file for ids of more than 64 MB.

        Cost: O(M·(k + log K)) time; memory for one block at a time.
        """
        gather = Gather(np.min_scalar_type(len(self.codes)), cache)
        for block in self._blocks(values, offsets):
            gather.add(self.find(block))
        lengths = np.maximum(np.diff(offsets) - self.size + 1, 0)
        return gather.finish(), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    def spell(self, codes: Codes) -> npt.NDArray[np.int64]:
        """(M,) codes as the ids of their letters, (M, k)."""
        powers = self.letters ** np.arange(self.size - 1, -1, -1, dtype=np.int64)
        return codes[:, None] // powers % self.letters

    def code(self, letters: npt.NDArray[np.int64]) -> Codes:
        """(M, k) letters as codes, (M,); the inverse of `spell`."""
        powers = self.letters ** np.arange(self.size - 1, -1, -1, dtype=np.int64)
        return (letters * powers).sum(1)

    def to_texts(self, alphabet: str) -> list[str]:
        """The known k-mers written in the letters of ``alphabet``, in the order of their ids."""
        letters = np.frombuffer(alphabet.encode(), np.uint8)
        return [row.tobytes().decode("ascii") for row in letters[self.spell(self.codes)]]

    @classmethod
    def from_texts(cls, texts: list[str], alphabet: str) -> Self | None:
        """The inverse of `to_texts`; ``None`` if the texts are out of order or not k-mers of ``alphabet``."""
        sizes = {len(text) for text in texts}
        if len(sizes) != 1 or not 2 <= (size := min(sizes)) <= 8 or not all(text.isascii() for text in texts):
            return None
        ids = letter_ids(alphabet)[np.frombuffer("".join(texts).encode(), np.uint8)]
        codes = cls(size, len(alphabet), np.zeros(0, np.int64)).code(ids.reshape(-1, size).astype(np.int64))
        if (ids == FOREIGN).any() or not (np.diff(codes) > 0).all():
            return None
        return cls(size, len(alphabet), codes)

    def notes(self, ids: np.ndarray, lengths: Codes) -> str:
        """The share of unknown ``ids``, and the number of rows too short for a k-mer; empty if there are neither."""
        unknown, short = np.count_nonzero(ids == UNKNOWN) / max(1, len(ids)), np.count_nonzero(lengths == 0)
        parts = []
        if unknown:
            parts.append(f"{unknown:.2%} of the {self.size}-mers were not seen in training")
        if short:
            parts.append(f"{short} sequences have fewer than {self.size} letters")
        return "; ".join(parts)

    def _opposite(self, complement: Codes) -> Codes:
        return self.code(complement[self.spell(self.codes)][:, ::-1])

    def _blocks(self, values: np.ndarray, offsets: Codes) -> Iterator[Codes]:
        """The codes of the k-mers of all rows, in order."""
        for start in range(0, len(values) - self.size + 1, _BLOCK):
            at = np.arange(start, min(start + _BLOCK, len(values) - self.size + 1))
            inside = at + self.size <= offsets[np.searchsorted(offsets, at, side="right")]
            yield self.code(np.stack([values[at[inside] + j] for j in range(self.size)], 1).astype(np.int64))
