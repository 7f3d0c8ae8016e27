"""A column of texts, or of lists of texts, opened and checked before it is split into tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._cells import Cells, is_text, open_cells, plain
from unrolled.data.encodings._normal import Normal, kept_form, normal_texts
from unrolled.data.encodings._pieces import Piece, as_text, pieces, raw
from unrolled.data.encodings.encoding import Role, Where
from unrolled.errors import DataError, named

__all__ = ["checked", "filled", "filled_texts", "normal_for", "open_texts", "starts"]


def open_texts(array: pa.ChunkedArray, where: Where, items: bool) -> Cells:
    """The column's texts; with ``items``, the items of its lists, where whole numbers are read as texts.

    Raises:
        DataError: the column holds something else.
    """
    cells = open_cells(array, where, items)
    if pa.types.is_null(cells.flat.type):
        return replace(cells, flat=cells.flat.cast(pa.large_string()))
    if items and pa.types.is_integer(cells.flat.type):  # integers in lists are names, such as ids, not amounts
        return replace(cells, flat=cells.flat.cast(pa.large_string()))
    if not is_text(cells.flat.type):
        wanted = "lists of texts or whole numbers" if items else "texts"
        message = f"holds {array.type}, where {wanted} are expected"
        hint = "choose another kind, or leave the column out"
        raise DataError(message, file=where.file, column=where.column, hint=hint)
    return cells


def checked(cells: Cells, normal: Normal) -> Iterator[Piece]:
    """The texts in pieces, checked to be UTF-8 (Arrow trusts the file) and converted to the form ``normal``.

    Raises:
        DataError: a text is not UTF-8.
    """
    for piece in pieces(cells.flat):
        data, offsets = raw(piece.texts)
        try:
            as_text(data)
        except UnicodeDecodeError as error:
            row = piece.row + int(np.searchsorted(offsets, error.start, side="right")) - 1
            hint = f"name the encoding of the file, such as {named('text_encoding')} latin-1"
            raise cells.error(row, f"byte 0x{data[error.start]:02x} is not UTF-8", hint) from None
        yield replace(piece, texts=normal_texts(piece.texts, normal))


def normal_for(asked: Normal | None, cells: Cells, role: Role) -> Normal:
    """The Unicode form for a column: the one that was asked for; else nfc if it is only read, or that of its texts.

    Raises:
        DataError: a text is not UTF-8.
    """
    if asked is not None or role.read:
        return asked or "nfc"
    return kept_form(piece.texts for piece in checked(cells, "none"))


def starts(lengths: np.ndarray) -> np.ndarray:
    """(rows + 1,) int64: where each row starts if rows of these ``lengths`` are put end to end."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def filled_texts(array: pa.ChunkedArray, where: Where, normal: Normal, *, items: bool) -> Iterator[pa.Array]:
    """The texts of a column, or the items of its lists, without empty cells, piece by piece."""
    return (piece.texts for piece in checked(filled(plain(array), where, items=items), normal))


def filled(array: pa.ChunkedArray, where: Where, *, items: bool) -> Cells:
    """As `open_texts`, without empty cells."""
    cells = open_texts(array, where, items)
    return replace(cells, flat=cells.flat.drop_null())
