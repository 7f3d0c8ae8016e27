"""The alphabets of DNA, RNA and protein, and how a column's alphabet is detected and checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unrolled.data.encodings._pieces import pieces, raw
from unrolled.data.encodings.encoding import Where
from unrolled.errors import DataError, named

__all__ = [
    "ALPHABETS",
    "COMPLEMENTS",
    "FOREIGN",
    "Name",
    "count_bytes",
    "first_foreign",
    "foreign_letter",
    "is_nucleic",
    "letter_ids",
    "refusal",
    "told",
]

Name = Literal["DNA", "RNA", "protein"]

# Letters that name one base or residue, then the ambiguity codes, then the alignment gap; * ends a protein.
ALPHABETS: dict[Name, str] = {
    "DNA": "ACGTRYSWKMBDHVN-",
    "RNA": "ACGURYSWKMBDHVN-",
    "protein": "ACDEFGHIKLMNPQRSTVWYBZXJUO*-",
}
COMPLEMENTS: dict[Name, str] = {  # R is A or G, so its complement Y is T or C
    "DNA": "TGCAYRSWMKVHDBN-",
    "RNA": "UGCAYRSWMKVHDBN-",
}
FOREIGN = 255  # the id of a byte that is not a letter of the alphabet

_NUCLEIC_SHARE = 0.9  # least share of A, C, G, T, U and N in DNA or RNA; proteins have about a third

Counts = npt.NDArray[np.int64]


def letter_ids(letters: str) -> npt.NDArray[np.uint8]:
    """(256,): the position of each byte in ``letters``, ignoring case; `FOREIGN` if it is not one of them."""
    table = np.full(256, FOREIGN, np.uint8)
    for place, letter in enumerate(letters):
        table[ord(letter)] = table[ord(letter.lower())] = place
    return table


def count_bytes(texts: Iterable[pa.Array]) -> Counts:
    """(256,): how often each byte occurs in ``texts``."""
    return np.sum([np.bincount(raw(part)[0], minlength=256) for part in texts] or [np.zeros(256, np.int64)], 0)


def told(counts: Counts) -> Name:
    """The alphabet that fits these byte counts; nucleic letters are RNA if U outnumbers T, else DNA."""
    if not is_nucleic(counts):
        return "protein"
    return "RNA" if _of(counts, "U") > _of(counts, "T") else "DNA"


def is_nucleic(counts: Counts) -> bool:
    """Whether at least nine in ten letters, without gaps, blanks and digits, are A, C, G, T, U or N."""
    letters = counts.sum() - sum(counts[ord(sign)] for sign in "- \t0123456789")
    return _of(counts, "ACGTUN") >= _NUCLEIC_SHARE * max(1, letters)


def first_foreign(texts: pa.ChunkedArray, alphabet: Name) -> tuple[int, int, str] | None:
    """Row and position, from 0, of the first letter outside ``alphabet``, and the letter; ``None`` if all fit."""
    table, before = letter_ids(ALPHABETS[alphabet]), 0
    for piece in pieces(texts):
        data, offsets = raw(piece.texts)
        before = 0 if piece.begins else before  # letters of this row in earlier pieces
        odd = table[data] == FOREIGN
        if odd.any():
            at = int(np.argmax(odd))
            nth = int(np.searchsorted(offsets, at, side="right")) - 1
            found = bytes(data[at : at + 4]).decode("utf-8", "replace")[0]
            return (
                piece.row + nth,
                before + at - int(offsets[nth]),
                found,
            )  # all before it is ASCII
        before += len(data)
    return None


def refusal(message: str, alphabet: Name, where: Where, row: int | None) -> DataError:
    """The error about a value outside ``alphabet``; ``row`` counts from 1."""
    hint = f"its letters are {ALPHABETS[alphabet]}; correct it, or give {named('kinds')} {where.column}=tokens"
    return DataError(f"{message}, which is not {alphabet}", file=where.file, row=row, column=where.column, hint=hint)


def foreign_letter(place: int, letter: str, of: str, alphabet: Name, where: Where, row: int) -> DataError:
    """The error about a letter that the alphabet does not have.

    Args:
        place: its place in the sequence, from 0.
        letter: the letter.
        of: the name of the sequence, as in `` of 'chr1'``; empty if it has none.
        alphabet: the name of the alphabet.
        where: how errors name the column.
        row: the row of the sequence, from 1.
    """
    if not (letter.isspace() or letter.isdecimal()):
        return refusal(f"letter {place + 1}{of} is {letter!r}", alphabet, where, row)
    what = "a blank" if letter.isspace() else f"the digit {letter}"
    hint = "remove the blanks and numbers between the letters"
    message = f"letter {place + 1}{of} is {what}, which is not {alphabet}"
    return DataError(message, file=where.file, row=row, column=where.column, hint=hint)


def _of(counts: Counts, letters: str) -> int:
    return int(
        sum(counts[ord(letter)] + (letter != letter.lower()) * counts[ord(letter.lower())] for letter in letters)
    )
