"""A text table in parts that are read one by one, each below the header of the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings.encoding import ENCODINGS, traits_of
from unrolled.data.readers._delimited import read_cells, read_delimited
from unrolled.data.readers._dialect import Dialect
from unrolled.data.readers._layout import find_layout
from unrolled.data.readers._quotes import quotes_fit
from unrolled.data.readers.reader import DECIMAL
from unrolled.errors import DataError

__all__ = ["CsvParts"]

_BLANKS = b" \t\r\n"


@dataclass(slots=True)
class CsvParts:
    """A text table in parts of about ``size`` bytes; in one part where rows cannot be told apart without reading them.

    Attributes:
        data, origin, config, separator: as for `read_delimited`.
        borders: where the parts begin, and the last one ends.
        below: how the parts after the first are read.
    """

    data: pa.Buffer
    origin: str
    config: DataConfig
    separator: str | None
    borders: list[int]
    below: DataConfig

    @classmethod
    def of(cls, data: pa.Buffer, origin: str, config: DataConfig, separator: str | None, size: int) -> CsvParts:
        """Cut ``data`` after rows.

        Args:
            data, origin, config, separator: as for `read_delimited`.
            size: bytes of a part, about.
        """
        whole = cls(data, origin, config, separator, [0, data.size], config)
        if data.size <= size:
            return whole
        head = data.slice(0, bytes(data[:size]).rfind(b"\n") + 1)
        try:
            layout = find_layout(head, origin, separator, config)
        except DataError:
            return whole
        dialect = layout.dialect
        cuts = _cuts(data, size, dialect) if len(dialect.separator) == 1 and not dialect.escaped else []
        settled = {
            "header": tuple(layout.names),
            "skip": None,
            "separator": dialect.separator,
            "quote": dialect.quote or "none",
        }
        return cls(data, origin, config, separator, [0, *cuts, data.size], config.model_copy(update=settled))

    def __len__(self) -> int:
        return len(self.borders) - 1

    def read(self, index: int, texts: Sequence[str] = ()) -> pa.Table:
        start, stop = self.borders[index : index + 2]
        config = self.below if index else self.config
        if texts:
            kind = next(name for name in ENCODINGS.names() if traits_of(name).verbatim)
            config = config.model_copy(update={"kinds": {**config.kinds, **dict.fromkeys(texts, kind)}})
        table = read_delimited(self.data.slice(start, stop - start), self.origin, config, self.separator)
        if not index and (sign := (table.schema.metadata or {}).get(DECIMAL)):
            self.below = self.below.model_copy(update={"decimal": sign.decode()})
        return table

    def differ(self, index: int, column: str, kinds: tuple[pa.DataType, pa.DataType]) -> None:
        """Every cell is a text."""

    def cells(self) -> Iterator[pa.Table]:
        """The parts as texts to the letter."""
        for index, (start, stop) in enumerate(pairwise(self.borders)):
            data = self.data.slice(start, stop - start)
            yield read_cells(data, self.origin, self.below if index else self.config, self.separator)

    def over(self, data: pa.Buffer) -> CsvParts:
        return replace(self, data=data)

    def whole(self) -> pa.Table:
        return read_delimited(self.data, self.origin, self.config, self.separator)


def _cuts(data: pa.Buffer, size: int, dialect: Dialect) -> list[int]:
    """Where parts begin after the first; none if quotes or line ends do not show it."""
    view, cuts, start = np.frombuffer(data, np.uint8), list[int](), 0
    while len(view) - start > size:
        cut = _last_row(view[start : start + size], view, start, dialect)
        if not cut or not (dialect.quote is None or quotes_fit(data.slice(start, cut - start), dialect)):
            return []
        cuts.append(cut)
        start = cut
    return cuts


def _last_row(block: np.ndarray, view: np.ndarray, start: int, dialect: Dialect) -> int:
    """Where the last row begins that is not empty and follows one that is not; 0 if no row does.

    Empty rows at the end of a table are no rows, so a part must not end with one that stands in the middle.
    """
    lines = np.flatnonzero(block == ord("\n"))
    if dialect.quote is not None:
        quotes = np.flatnonzero(block == ord(dialect.quote))
        lines = lines[np.searchsorted(quotes, lines) % 2 == 0]
    empty = dialect.sign.encode() + _BLANKS
    for before, here in zip(lines[-2::-1].tolist(), lines[:0:-1].tolist(), strict=True):
        cut = start + here + 1
        follows = bytes(view[cut : cut + 256])
        if bytes(block[before:here]).strip(empty) and follows.strip(empty) and follows[:1] not in (b"\n", b"\r"):
            return cut
    return 0
