"""Data of any size for a trained model, piece by piece: memory does not grow with the data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.examples.examples import Examples
from unrolled.data.tables.sequences import Sequences
from unrolled.runs.checks import with_target
from unrolled.runs.later_data import later_blocks
from unrolled.runs.unseen import gathered
from unrolled.tasks.task import Task

__all__ = ["Once", "first_rows", "judged", "pieces_of"]

_ROWS, _BYTES = 1 << 14, 1 << 26  # of a piece, at most: its answers are Python's objects for a moment
_log = logging.getLogger(__name__)


def pieces_of(data: Any, config: DataConfig, task: Task) -> Iterator[Sequences]:
    """``data`` in pieces, in order.

    Where rows are steps of sequences, and of formats that are not read in blocks, it is read as a whole first.

    Args:
        data: as for `Trained.predict`.
        config: how the training data was read.
        task: the model's task, with its encodings.

    Raises:
        DataError, UsageError: as in `later_blocks`.
    """
    for block in iter([data]) if isinstance(data, Sequences) else later_blocks(data, config, task):
        rows = max(1, min(_ROWS, _BYTES * len(block) // max(block.table.nbytes, 1)))
        for start in range(0, len(block), rows):
            yield block if len(block) <= rows else block.slice(start, start + rows)


def judged(
    pieces: Iterator[Sequences], encode: Callable[[Sequences], Examples], task: Task
) -> Iterator[tuple[Sequences, Examples]]:
    """Each piece before and after encoding, without the rows that have no target.

    Args:
        pieces: of the data.
        encode: encodes a piece with its target.
        task: the model's task.

    Raises:
        DataError: a piece cannot be encoded, or no row has a target.
    """
    target, once, some, unknown = task.coder.target, Once(), False, None
    for piece in pieces:
        if target in piece.table.column_names and piece.table.column(target).null_count == len(piece):
            unknown = piece
            continue
        with once.said(piece):
            part = with_target(piece, task.coder)
            examples = encode(part)
        some = True
        yield part, examples
    if not some and unknown is not None:
        with_target(unknown, task.coder)  # says what is wrong with a target that is never known


def first_rows(pieces: Iterator[Sequences], rows: int) -> tuple[Sequences, bool]:
    """The first pieces with at least so many rows as one, and whether there are more.

    Args:
        pieces: at least one, of the same columns.
        rows: how many rows, ≥ 1.
    """
    found = [next(pieces)]
    while sum(map(len, found)) < rows and (piece := next(pieces, None)) is not None:
        found.append(piece)
    if len(found) == 1:
        return found[0], next(pieces, None) is not None
    places = np.concatenate([np.arange(len(one)) if one.rows is None else one.rows for one in found])
    firsts = [one.first for one in found if one.first is not None]
    first = np.concatenate(firsts) if len(firsts) == len(found) else None
    table = pa.concat_tables([one.table for one in found])
    return replace(found[0], table=table, first=first, rows=places), next(pieces, None) is not None


class Once:
    """Says what is remarkable about a column once, of the first piece in which it is."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    @contextmanager
    def said(self, piece: Sequences) -> Iterator[None]:
        """Say it of ``piece``, which the block encodes."""
        with gathered() as lines:
            yield
        for line in lines:
            if (column := line.partition(":")[0]) not in self._said:
                self._said.add(column)
                _log.warning("%s, %s", piece.origin, line)
