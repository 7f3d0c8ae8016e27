"""MATLAB's .mat files of version 5: matrices of numbers and letters, and cells of them.

Each length is checked before it is followed, so that a damaged file is an error and nothing worse.

References:
    MAT-File Format, https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from unrolled.errors import DataError

__all__ = ["read_matrices"]

_HEADER = 128  # bytes
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_TEXTS = {16: "utf-8", 17: "utf-16", 18: "utf-32", 2: "latin-1", 4: "utf-16"}
_MATRIX, _PACKED = 14, 15
_CELL, _LETTERS = 1, 4
_OTHERS = {2: "a structure", 3: "an object", 5: "a sparse matrix", 16: "a function", 17: "an object"}
_COMPLEX, _LOGICAL = 8, 2  # flags
_DEEPEST = 8
_UNPACKED_FLOOR, _UNPACKED_RATIO = 64 << 20, 200  # as for other packed files


@dataclass(slots=True)
class _Stream:
    """The elements of a file, or of one element; each has a type, a length, and so many bytes."""

    data: memoryview
    order: str  # of bytes: < or >
    origin: str
    place: int = 0

    def element(self) -> tuple[int, memoryview]:
        """The type and the bytes of the next element."""
        first, second = self._words()
        if first >> 16:  # up to four bytes lie in the tag itself
            kind, size, start = first & 0xFFFF, first >> 16, self.place + 4
            self.place += 8
        else:
            kind, size, start = first, second, self.place + 8
            padded = size if kind == _PACKED else -(-size // 8) * 8
            self.place = start + padded
        if start + size > len(self.data) or (start == self.place - 4 and size > 4):
            raise self.damaged("it ends too early")
        return kind, self.data[start : start + size]

    def within(self, data: memoryview) -> _Stream:
        return _Stream(data, self.order, self.origin)

    def more(self) -> bool:
        return self.place < len(self.data)

    def damaged(self, why: str) -> DataError:
        return DataError(f"is not a .mat file that can be read: {why}", file=self.origin)

    def _words(self) -> tuple[int, int]:
        if self.place + 8 > len(self.data):
            raise self.damaged("it ends too early")
        first, second = np.frombuffer(self.data[self.place : self.place + 8], f"{self.order}u4").tolist()
        return first, second


def read_matrices(data: memoryview, origin: str) -> dict[str, np.ndarray]:
    """Name -> array, for each variable; cells are arrays of objects, letters arrays of texts.

    Raises:
        DataError: the file is damaged, of another version, or unpacks to too much; or a variable is of a class that is
            not read, such as a structure.
    """
    mark = bytes(data[_HEADER - 2 : _HEADER])
    if mark not in (b"IM", b"MI"):
        raise DataError("is not a .mat file of version 5", file=origin, hint="in MATLAB save it with -v7")
    stream = _Stream(data[_HEADER:], "<" if mark == b"IM" else ">", origin)
    left = max(_UNPACKED_FLOOR, _UNPACKED_RATIO * len(data))
    found = {}
    while stream.more():
        kind, inside = stream.element()
        if kind == _PACKED:
            whole = _unpacked(inside, left, stream)
            left -= len(whole)
            kind, inside = stream.within(whole).element()
        if kind == _MATRIX:
            name, array = _matrix(stream.within(inside), 0)
            if name:  # MATLAB's own are without
                found[name] = array
    return found


def _unpacked(data: memoryview, most: int, stream: _Stream) -> memoryview:
    unpack = zlib.decompressobj()
    try:
        whole = unpack.decompress(data, most + 1)
    except zlib.error as error:
        raise stream.damaged(str(error)) from None
    if len(whole) > most:
        message = "unpacks to too much for a file of its size"
        raise DataError(message, file=stream.origin, hint="if you trust it, save it without compression")
    return memoryview(whole)


def _matrix(stream: _Stream, depth: int) -> tuple[str, np.ndarray]:
    """The name and the values of a matrix."""
    if depth > _DEEPEST:
        raise stream.damaged(f"it is nested more than {_DEEPEST} levels deep")
    flags, shape, name = (stream.element()[1] for _ in range(3))
    if len(flags) < 8 or len(shape) % 4 or len(shape) < 8:
        raise stream.damaged("a matrix has no shape")
    word = int(np.frombuffer(flags[:4], f"{stream.order}u4")[0])
    kind, flag = word & 0xFF, word >> 8
    axes = tuple(np.frombuffer(shape, f"{stream.order}i4").tolist())
    called = bytes(name).decode("latin-1")
    if min(axes) < 0 or len(axes) > 32:
        raise stream.damaged("a matrix has no shape")
    if kind in _OTHERS or kind not in (_CELL, _LETTERS, *_CLASSES) or flag & _COMPLEX:
        what = _OTHERS.get(kind, "complex" if flag & _COMPLEX else "of an unknown class")
        raise DataError(f"is {what}, which is not read", file=stream.origin, column=called or None)
    if kind == _CELL:
        return called, _cells(stream, axes, depth)
    element, values = stream.element()
    if kind == _LETTERS:
        return called, _letters(element, values, axes, stream)
    if element not in _NUMBERS or len(values) != math.prod(axes) * int(_NUMBERS[element][1:]):
        raise stream.damaged("a matrix does not have the values of its shape")
    array = np.frombuffer(values, f"{stream.order}{_NUMBERS[element]}")
    array = array.astype(np.bool_ if flag & _LOGICAL else _CLASSES[kind])
    return called, array.reshape(axes, order="F")


def _cells(stream: _Stream, axes: tuple[int, ...], depth: int) -> np.ndarray:
    held = []
    for _ in range(math.prod(axes)):
        kind, inside = stream.element()
        if kind != _MATRIX:
            raise stream.damaged("a cell holds no matrix")
        held.append(_matrix(stream.within(inside), depth + 1)[1] if len(inside) else np.zeros((0, 0)))
    cells = np.empty(len(held), object)
    for place, cell in enumerate(held):
        cells[place] = cell
    return cells


def _letters(element: int, values: memoryview, axes: tuple[int, ...], stream: _Stream) -> np.ndarray:
    """(rows,): the text of each row of a matrix of letters."""
    coding = _TEXTS.get(element)
    if coding is None:
        raise stream.damaged("letters are of an unknown coding")
    suffix = {"<": "-le", ">": "-be"}[stream.order] if coding in ("utf-16", "utf-32") else ""
    try:
        text = bytes(values).decode(coding + suffix)
    except UnicodeDecodeError:
        raise stream.damaged("its letters are damaged") from None
    rows, columns = axes[0], math.prod(axes[1:])
    if len(text) != rows * columns:
        raise stream.damaged("a text does not have the letters of its shape")
    return np.array([text[row::rows].rstrip() for row in range(rows)], dtype=np.str_)
