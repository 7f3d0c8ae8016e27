"""A column of texts, or of lists of texts, opened and checked before its tokens are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._cells import Cells, is_text, open_cells
from unrolled.data.encodings._normal import Normal, normal_texts
from unrolled.data.encodings._pieces import Piece, as_text, pieces, raw
from unrolled.data.encodings.base import Where
from unrolled.errors import DataError

__all__ = ["checked", "open_texts", "starts"]


def open_texts(array: pa.ChunkedArray, where: Where, items: bool) -> Cells:
    """The column's texts, which are the items of its cells if ``items``; whole numbers are items too, by their digits.

    Raises:
        DataError: it holds something else.
    """
    cells = open_cells(array, where, items)
    if pa.types.is_null(cells.flat.type):
        return replace(cells, flat=cells.flat.cast(pa.large_string()))
    if items and pa.types.is_integer(cells.flat.type):  # digits, or ids of something: names, not amounts
        return replace(cells, flat=cells.flat.cast(pa.large_string()))
    if not is_text(cells.flat.type):
        wanted = "lists of texts or whole numbers" if items else "texts"
        message, hint = f"holds {array.type}, where {wanted} are expected", "name another kind for it, or leave it out"
        raise DataError(message, file=where.file, column=where.column, hint=hint)
    return cells


def checked(cells: Cells, normal: Normal) -> Iterator[Piece]:
    """The pieces of the texts, ``normal``, once they are known to be UTF-8: Arrow takes that on trust from a file.

    Raises:
        DataError: one is not.
    """
    for piece in pieces(cells.flat):
        data, offsets = raw(piece.texts)
        try:
            as_text(data)
        except UnicodeDecodeError as error:
            row = piece.row + int(np.searchsorted(offsets, error.start, side="right")) - 1
            hint = "name the encoding of the file, such as --text-encoding latin-1"
            raise cells.error(row, f"byte 0x{data[error.start]:02x} is not UTF-8", hint) from None
        yield replace(piece, texts=normal_texts(piece.texts, normal))


def starts(lengths: np.ndarray) -> np.ndarray:
    """(rows + 1,) int64: where rows of these ``lengths`` begin, end to end."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
