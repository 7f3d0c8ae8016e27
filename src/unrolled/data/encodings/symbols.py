"""Symbols: DNA, RNA or protein sequences as ids of their letters, in the IUPAC alphabets with their ambiguity codes.

The alphabet is detected from the training column. A lower-case letter (a masked repeat) is read as its capital, and
decoded as that. With the option ``kmer`` a step is several neighbouring letters.

Axes: N letters of all rows, V letters of the alphabet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.batch import Discrete
from unrolled.config import option
from unrolled.data.encodings._alphabets import (
    ALPHABETS,
    COMPLEMENTS,
    FOREIGN,
    Name,
    count_bytes,
    first_foreign,
    foreign_letter,
    is_nucleic,
    letter_ids,
    refusal,
    told,
)
from unrolled.data.encodings._cells import is_text, plain
from unrolled.data.encodings._gather import Gather, frame
from unrolled.data.encodings._kmers import Kmers
from unrolled.data.encodings._labels import looks_like_labels
from unrolled.data.encodings._pieces import pieces, raw
from unrolled.data.encodings._stored import Stored, load
from unrolled.data.encodings._texts import open_texts
from unrolled.data.encodings._vocabulary import VocabularyOptions
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where
from unrolled.errors import DataError, ModelError, UsageError, named

__all__ = ["Symbols"]

_NUCLEIC, _AMINO = 20, 30  # least mean length of a text that is a sequence rather than a word
_RARE_SHARE = 0.01  # most of B, Z, X, J, U and O in proteins; in English they are a tenth of the letters


class _Stored(Stored):
    kind: Literal["symbols"]
    alphabet: Name
    seen: str
    both: bool
    kmers: list[str] | None
    framed: bool


@dataclass(frozen=True, slots=True)
class Symbols:
    """A column of biological sequences.

    Attributes:
        alphabet: ``DNA``, ``RNA`` or ``protein``.
        seen: its letters that occur in the training data, in the alphabet's order.
        both: a sequence is read on both strands.
        kmers: the k-mers in the training data; ``None`` if a step is one letter.
        framed: a sequence is put between ``<begin>`` and ``<end>``, so that a model learns where one starts and stops.

    References:
        IUPAC-IUB 1985, codes for incompletely specified bases, https://doi.org/10.1093/nar/13.9.3021;
        1984, for amino acids, https://doi.org/10.1111/j.1432-1033.1984.tb07877.x

    Example:
        >>> column = pa.chunked_array([["GATTACA", "nag"]])
        >>> dna = Symbols.fit(column, Symbols.Options(), Role(), Where("memory", "sequence"))
        >>> dna.encode(column, Where("memory", "sequence")).values
        array([ 2,  0,  3,  3,  0,  1,  0, 14,  0,  2], dtype=uint8)
        >>> dna.report()
        'DNA, 5 of its 16 letters'
    """

    class Options(VocabularyOptions):
        """The options for DNA, RNA and protein."""

        kmer: int = option(
            1,
            "Length of k-mers: letters of DNA, RNA or protein per step. Neighbouring k-mers overlap.",
            ge=1,
            le=8,
            also=("k", "kmer_size", "ngram"),
        )
        both_strands: bool = option(
            False,
            "Train on both strands of DNA or RNA, and average the predictions for the two.",
            also=("strands", "reverse_complement", "rc_augment"),
        )

    kind: ClassVar[str] = "symbols"
    traits: ClassVar[Traits] = Traits(text=True, whole=True)
    rule: ClassVar[str] = "the place of a letter in the alphabet, or of a k-mer among the known ones, from 1"
    unit: ClassVar[Literal["character", "token"]] = "character"
    form: ClassVar[str] = "symbols"

    alphabet: Name
    seen: str
    both: bool
    kmers: Kmers | None = None
    framed: bool = False

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """90 for texts made only of the letters of one alphabet and too long to be words."""
        array = plain(array)
        if not is_text(array.type) or looks_like_labels(array):
            return 0
        length = pc.mean(pc.binary_length(array)).as_py() or 0
        if length < _NUCLEIC:
            return 0
        counts = np.zeros(256, np.int64)
        for piece in pieces(array):  # the first piece already rules out most other texts
            counts += count_bytes([piece.texts])
            if counts[letter_ids("".join(ALPHABETS.values())) == FOREIGN].any():
                return 0
        if is_nucleic(counts):
            return 90 if any(not counts[letter_ids(ALPHABETS[name]) == FOREIGN].any() for name in COMPLEMENTS) else 0
        small = counts[ord("a") : ord("z") + 1].sum()
        rare = sum(counts[ord(letter)] for letter in "BZXJUO")
        return 90 if length >= _AMINO and not small and rare <= _RARE_SHARE * counts.sum() else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Symbols.Options, role: Role, where: Where) -> Self:
        """Detect the alphabet, and learn which of its letters or k-mers occur.

        Raises:
            DataError: the column does not hold texts, or has no letters, or a letter outside the alphabet.
        """
        texts = open_texts(array, where, items=False).flat
        counts = count_bytes(piece.texts for piece in pieces(texts))
        if not counts.sum():
            raise DataError(
                "has no letters", file=where.file, column=where.column, hint=f"leave it out with {named('ignore')}"
            )
        alphabet = told(counts)
        seen = "".join(letter for letter in ALPHABETS[alphabet] if counts[ord(letter)] or counts[ord(letter.lower())])
        if options.both_strands and alphabet not in COMPLEMENTS:
            raise UsageError(f"{named('both_strands')} only works with DNA or RNA; {where.column!r} holds {alphabet}")
        fitted = cls(alphabet, seen, both=options.both_strands)
        if counts[letter_ids(ALPHABETS[alphabet]) == FOREIGN].any():
            fitted._check(texts, where)
        if options.kmer == 1:
            return replace(fitted, framed=role.framed)
        letters, offsets = fitted._letters(array, where)
        kmers = Kmers.fit(letters, offsets, options.kmer, len(ALPHABETS[alphabet]), options.vocabulary)
        if not len(kmers.codes):
            raise DataError(f"no sequence has {options.kmer} letters", file=where.file, column=where.column)
        return replace(fitted, kmers=kmers.with_opposites(fitted._complements) if fitted.both else kmers)

    @property
    def settled(self) -> dict[str, str]:
        """Empty: the alphabet comes from the data."""
        return {}

    def reads(self, array: pa.ChunkedArray) -> bool:
        """Whether a column looks like sequences of letters."""
        return self.recognises(array) > 0

    def reused(self, options: Symbols.Options, role: Role) -> Self:
        """The same encoding, reading both strands if ``options`` ask for it.

        Raises:
            UsageError: ``both_strands`` is set, and the column is protein.
        """
        if options.both_strands and self.alphabet not in COMPLEMENTS:
            raise UsageError(f"{named('both_strands')} only works with DNA or RNA; the letters are {self.alphabet}")
        return replace(self, both=self.both or options.both_strands)

    @property
    def spec(self) -> Discrete:
        """The letters of the alphabet, or the k-mers and one id for unknown ones; two more ids if framed."""
        letters = len(self.kmers.codes) + 1 if self.kmers else len(ALPHABETS[self.alphabet])
        return Discrete(letters + 2 if self.framed else letters)

    @property
    def begin(self) -> int | None:
        """The id before a framed sequence."""
        return self._begin if self.framed else None

    @property
    def end(self) -> int | None:
        """The id after a framed sequence."""
        return self._begin + 1 if self.framed else None

    @property
    def _begin(self) -> int:
        return len(ALPHABETS[self.alphabet])

    @property
    def never(self) -> tuple[int, ...]:
        """The ids that are never predicted: letters that were not in the training data, and ``<begin>``."""
        unseen = [place for place, letter in enumerate(ALPHABETS[self.alphabet]) if letter not in self.seen]
        return (*unseen, self._begin) if self.framed else tuple(unseen)

    @property
    def per_step(self) -> int:
        """The number of letters per step."""
        return self.kmers.size if self.kmers else 1

    @property
    def complement(self) -> npt.NDArray[np.int64] | None:
        """The id of each letter's or k-mer's reverse complement; ``None`` if only one strand is read."""
        if not self.both:
            return None
        if self.kmers:
            return self.kmers.opposites(self._complements)
        if not self.framed:
            return self._complements
        return np.append(self._complements, [self._begin + 1, self._begin])  # read from the other end

    @property
    def _complements(self) -> npt.NDArray[np.int64]:
        """(V,): the id of each letter's complement."""
        letters = ALPHABETS[self.alphabet]
        return np.array([letters.index(letter) for letter in COMPLEMENTS[self.alphabet]], np.int64)

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N,) of an unsigned dtype; memory-mapped from ``cache`` if over 64 MB.

        Raises:
            DataError: the column does not hold texts, or has a letter outside the alphabet.
            SpaceError: the disk that holds ``cache`` is full.
        """
        if self.kmers is None:
            return Encoded(*self._letters(array, where, cache))
        letters = self._letters(array, where, cache and cache.with_suffix(".letters"))
        return Encoded(*self.kmers.encode(*letters, cache))

    def _letters(
        self, array: pa.ChunkedArray, where: Where, cache: Path | None = None
    ) -> tuple[np.ndarray, npt.NDArray[np.int64]]:
        """(N,) uint8 ids of letters, and where the rows start."""
        texts = open_texts(array, where, items=False).flat
        lengths = np.zeros(len(texts), np.int64)
        gather = Gather(np.dtype(np.uint8), cache)
        table = letter_ids(ALPHABETS[self.alphabet])
        for piece in pieces(texts):
            data, offsets = raw(piece.texts)
            ids, counts = table[data], np.diff(offsets)
            if (ids == FOREIGN).any():
                self._check(texts, where)
            if self.framed:
                ids, counts = frame(ids, counts, self._begin, self._begin + 1, piece.begins, piece.ends)
            lengths[piece.row : piece.row + len(counts)] += counts
            gather.add(ids)
        return gather.finish(), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1,), the id of one letter or k-mer, and an empty memory.

        Raises:
            DataError: it is not one letter, or one k-mer, of the alphabet.
        """
        table, size = letter_ids(ALPHABETS[self.alphabet]), self.per_step
        if isinstance(value, str) and len(value) == size and value.isascii():
            letters = table[np.frombuffer(value.encode(), np.uint8)]
            if (letters != FOREIGN).all():
                return self.kmers.find(self.kmers.code(letters[None].astype(np.int64))) if self.kmers else letters, []
        count = "one letter" if size == 1 else f"{size} letters"
        raise refusal(f"one step is {count}, not {str(value)[:40]!r}", self.alphabet, where, None)

    def decode(self, values: np.ndarray) -> str:
        """The sequence, in capitals and without its frame; N or X for the letters of an unknown k-mer."""
        letters = np.frombuffer(ALPHABETS[self.alphabet].encode(), np.uint8)
        if self.kmers is None:
            ids = np.asarray(values)
            return letters[ids[ids < len(letters)]].tobytes().decode("ascii")
        if not len(values):
            return ""
        any_letter = ALPHABETS[self.alphabet].index("X" if self.alphabet == "protein" else "N")
        spelled = np.full((self.spec.size, self.kmers.size), any_letter)
        spelled[1:] = self.kmers.spell(self.kmers.codes)
        steps = spelled[np.asarray(values)]  # (M, k): all of the first, then the last letter of each
        return letters[np.concatenate([steps[0], steps[1:, -1]])].tobytes().decode("ascii")

    def encode_text(self, text: str) -> np.ndarray:
        """The ids of a prompt in the alphabet's letters; with ``<begin>`` if framed, but without ``<end>``."""
        ids = letter_ids(ALPHABETS[self.alphabet])[np.frombuffer(text.encode(), np.uint8)]
        return np.concatenate([np.array([self._begin], np.uint8), ids]) if self.framed else ids

    def decode_stream(self, before: str = "") -> Callable[[int], str]:
        """A function that takes ids one by one and returns the letters that each adds."""
        return lambda id_: self.decode(np.array([id_]))

    def unseen(self, text: str) -> list[str]:
        """The characters of ``text`` that were not in the training data, each once, in order."""
        return [letter for letter in dict.fromkeys(text.upper()) if letter not in self.seen]

    def to_config(self) -> dict[str, Any]:
        """The alphabet, and the letters and k-mers in the training data, as JSON."""
        learned = {"alphabet": self.alphabet, "seen": self.seen, "both": self.both, "framed": self.framed}
        kmers = self.kmers.to_texts(ALPHABETS[self.alphabet]) if self.kmers else None
        return {"kind": self.kind, **learned, "kmers": kmers}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        stored = load(_Stored, config, cls.kind)
        known = "".join(letter for letter in ALPHABETS[stored.alphabet] if letter in stored.seen)
        if stored.seen != known or not known or (stored.both and stored.alphabet not in COMPLEMENTS):
            raise ModelError("the symbols encoding of this model cannot be read: its letters are not of its alphabet")
        fitted = cls(stored.alphabet, stored.seen, stored.both)
        if stored.kmers is None:
            return replace(fitted, framed=stored.framed)
        kmers = Kmers.from_texts(stored.kmers, ALPHABETS[stored.alphabet])
        if kmers is None:
            raise ModelError("the symbols encoding of this model cannot be read: its k-mers are not of its alphabet")
        return replace(fitted, kmers=kmers)

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: which letters are new, or ``""``."""
        if self.kmers is not None:
            return self.kmers.notes(encoded.values, encoded.lengths())
        letters = ALPHABETS[self.alphabet]
        counts = np.bincount(np.asarray(encoded.values), minlength=len(letters))[: len(letters)]
        new = [place for place, letter in enumerate(letters) if counts[place] and letter not in self.seen]
        share = counts[new].sum() / max(counts.sum(), 1)
        listed = ", ".join(letters[place] for place in new)
        return f"{share:.2%} of the letters were not seen in training: {listed}" if new else ""

    def report(self) -> str:
        """A one-line summary."""
        strands = ", both strands" if self.both else ""
        kmers = f", {len(self.kmers.codes)} {self.kmers.size}-mers" if self.kmers else ""
        return f"{self.alphabet}, {len(self.seen)} of its {len(ALPHABETS[self.alphabet])} letters{kmers}{strands}"

    def _check(self, texts: pa.ChunkedArray, where: Where) -> None:
        """Raise the error about the first letter outside the alphabet, if there is one."""
        if (found := first_foreign(texts, self.alphabet)) is not None:
            row, place, letter = found
            raise foreign_letter(place, letter, "", self.alphabet, where, where.row(row))


MEMBER = Symbols
