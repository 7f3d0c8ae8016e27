"""K-mers: every k neighbouring letters of a sequence as one token, from each letter on.

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

UNKNOWN = 0  # the id of a k-mer that training did not hold
_BLOCK = 1 << 22  # letters at a time

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kmers:
    r"""The k-mers that training held; :math:`c_n = \sum_{j<k} V^{k-1-j} x_{n+j}` is the code of the one at letter n.

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
        """The ``most`` frequent k-mers of the rows; of equally frequent ones those of lower code.

        Args:
            values: ids of letters.
            offsets: row r is ``values[offsets[r]:offsets[r + 1]]``.
            size: k, from 2 to 8, so that a code of protein's 28 letters is an integer.
            letters: V.
            most: K at most.

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
        """With those of the other strand, whose letters stand opposite and in the other order."""
        return Kmers(self.size, self.letters, np.union1d(self.codes, self._opposite(complement)))

    def opposites(self, complement: Codes) -> Codes:
        """(K + 1,): the id of each k-mer's other strand, as `with_opposites` has them all."""
        return np.concatenate([[UNKNOWN], self.find(self._opposite(complement))]).astype(np.int64)

    def find(self, codes: Codes) -> np.ndarray:
        """The ids of ``codes``, of any shape, in the smallest dtype that holds them all."""
        at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        return np.where(self.codes[at] == codes, at + 1, UNKNOWN).astype(np.min_scalar_type(len(self.codes)))

    def encode(self, values: np.ndarray, offsets: Codes, cache: Path | None) -> tuple[np.ndarray, Codes]:
        """The ids of all k-mers, (M,), and where the rows begin, (R + 1,); a row of less than k letters has none.

        Args:
            values, offsets: those of `fit`.
            cache: a file for ids of more than 64 MB.

        Cost: O(M·(k + log K)), a block at a time.
        """
        gather = Gather(np.min_scalar_type(len(self.codes)), cache)
        for block in self._blocks(values, offsets):
            gather.add(self.find(block))
        lengths = np.maximum(np.diff(offsets) - self.size + 1, 0)
        return gather.finish(), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    def spell(self, codes: Codes) -> npt.NDArray[np.int64]:
        """(M,) codes as the letters that they stand for, (M, k)."""
        powers = self.letters ** np.arange(self.size - 1, -1, -1, dtype=np.int64)
        return codes[:, None] // powers % self.letters

    def code(self, letters: npt.NDArray[np.int64]) -> Codes:
        """(M, k) letters as codes, (M,); the inverse of `spell`."""
        powers = self.letters ** np.arange(self.size - 1, -1, -1, dtype=np.int64)
        return (letters * powers).sum(1)

    def to_texts(self, alphabet: str) -> list[str]:
        """The known k-mers in letters of the ``alphabet``, in the order of their ids."""
        letters = np.frombuffer(alphabet.encode(), np.uint8)
        return [row.tobytes().decode("ascii") for row in letters[self.spell(self.codes)]]

    @classmethod
    def from_texts(cls, texts: list[str], alphabet: str) -> Self | None:
        """The inverse of `to_texts`; ``None`` if they are not in order, or no k-mers of the ``alphabet``."""
        sizes = {len(text) for text in texts}
        if len(sizes) != 1 or not 2 <= (size := min(sizes)) <= 8 or not all(text.isascii() for text in texts):
            return None
        ids = letter_ids(alphabet)[np.frombuffer("".join(texts).encode(), np.uint8)]
        codes = cls(size, len(alphabet), np.zeros(0, np.int64)).code(ids.reshape(-1, size).astype(np.int64))
        if (ids == FOREIGN).any() or not (np.diff(codes) > 0).all():
            return None
        return cls(size, len(alphabet), codes)

    def notes(self, ids: np.ndarray, lengths: Codes) -> str:
        """How many of the ``ids`` are unknown, and how many rows are too short for a k-mer; empty if none is."""
        unknown, short = np.count_nonzero(ids == UNKNOWN) / max(1, len(ids)), np.count_nonzero(lengths == 0)
        said = []
        if unknown:
            said.append(f"{unknown:.2%} of the {self.size}-mers were not seen in training")
        if short:
            said.append(f"{short} sequences have less than {self.size} letters")
        return "; ".join(said)

    def _opposite(self, complement: Codes) -> Codes:
        return self.code(complement[self.spell(self.codes)][:, ::-1])

    def _blocks(self, values: np.ndarray, offsets: Codes) -> Iterator[Codes]:
        """The codes of the k-mers of all rows, in order."""
        for start in range(0, len(values) - self.size + 1, _BLOCK):
            at = np.arange(start, min(start + _BLOCK, len(values) - self.size + 1))
            inside = at + self.size <= offsets[np.searchsorted(offsets, at, side="right")]
            yield self.code(np.stack([values[at[inside] + j] for j in range(self.size)], 1).astype(np.int64))
