"""Rows that are encoded a part at a time, so that only their numbers are kept, in files that are mapped."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.store.prepared_store import Writer
from unrolled.data.tables.sequences import Sequences

__all__ = ["LARGE", "encoded_in_parts"]

LARGE = 64 << 20  # bytes of rows that are more than one part
_PART = 16 << 20  # bytes of a part


def encoded_in_parts(coder: Preprocessor, rows: Sequences, folder: Path) -> Examples:
    """The same as ``coder.encode(rows, cache=folder)``, in a part's memory where the rows are many.

    Args:
        coder: encodes them.
        rows: at least one.
        folder: for the files, which replace those that are there.

    Raises:
        DataError: a row cannot be encoded.
        SpaceError: the disk is full.
    """
    parts = -(-rows.table.nbytes // _PART)
    if rows.table.nbytes < LARGE or parts > len(rows):  # what is long in each row, an encoding maps itself
        return coder.encode(rows, cache=folder)
    borders = np.linspace(0, len(rows), parts + 1).astype(int).tolist()
    with Writer(folder, "", []) as writer:
        for start, stop in pairwise(borders):
            writer.append("valid", coder.encode(rows.slice(start, stop)))
        return writer.finish({}, {}).examples("valid", coder.examples)
