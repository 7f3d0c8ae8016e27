"""Predictions and metrics of data of any size, piece by piece: memory does not grow with the data."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from unrolled.data.tables.sequences import Sequences
from unrolled.metrics.metric import Sums
from unrolled.metrics.scoring import summed
from unrolled.runs.later_data import later_blocks
from unrolled.runs.predicting import MARK
from unrolled.runs.trained import Trained
from unrolled.runs.unseen import gathered

__all__ = ["concrete", "predicted", "sums_of"]

_ROWS, _BYTES = 1 << 14, 1 << 26  # of a piece, at most: its answers are Python's objects for a moment
_log = logging.getLogger(__name__)


def predicted(
    trained: Trained, data: Any, *, beam: int | None = None, fitted: bool = False, device: str = "auto"
) -> Iterator[pa.Table]:
    """The table of `Trained.predict` in pieces, in order, all with the same columns and types.

    Where rows are steps of sequences, and of formats that are not read in blocks, only the answers come in pieces.

    Args:
        trained: the model.
        data, beam, fitted, device: as for `Trained.predict`.

    Raises:
        DataError, UsageError: as in `Trained.predict`.
    """
    schema: pa.Schema | None = None
    once = _Once()
    for piece in _pieces(trained, data):
        with once.said(piece):
            table = trained.predict(piece, beam=beam, fitted=fitted, device=device)
        schema = concrete(table.schema) if schema is None else schema
        yield table.cast(schema)


def sums_of(trained: Trained, data: Any, *, beam: int | None = None, device: str = "auto") -> Sums:
    """The sums of the metrics on ``data``, of any size (see `Trained.sums`).

    Args:
        trained: the model.
        data, beam, device: as for `Trained.evaluate`.

    Raises:
        DataError, UsageError: as in `Trained.evaluate`.
    """
    total, unknown, once, target = Sums(), list[Sequences](), _Once(), trained.task.coder.target
    for piece in _pieces(trained, data):
        if target in piece.table.column_names and piece.table.column(target).null_count == len(piece):
            unknown = [piece]
            continue
        with once.said(piece):
            total = summed([total, trained.sums(piece, beam=beam, device=device)])
    for piece in unknown if not total else ():
        trained.sums(piece, beam=beam, device=device)  # says what is wrong with a target that is never known
    return total


def _pieces(trained: Trained, data: Any) -> Iterator[Sequences]:
    blocks = iter([data]) if isinstance(data, Sequences) else later_blocks(data, trained.config.data, trained.task)
    for block in blocks:
        rows = max(1, min(_ROWS, _BYTES * len(block) // max(block.table.nbytes, 1)))
        for start in range(0, len(block), rows):
            yield block if len(block) <= rows else block.slice(start, start + rows)


class _Once:
    """Says what is remarkable about a column once, of the first piece in which it is."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    @contextmanager
    def said(self, piece: Sequences) -> Iterator[None]:
        with gathered() as lines:
            yield
        for line in lines:
            if (column := line.partition(":")[0]) not in self._said:
                self._said.add(column)
                _log.warning("%s, %s", piece.origin, line)


def concrete(schema: pa.Schema) -> pa.Schema:
    """``schema`` with numbers where no answer of the first piece shows its type: only they can be absent so long."""
    fields = [field.with_type(_known(field.type)) if MARK in (field.metadata or {}) else field for field in schema]
    return pa.schema(fields, schema.metadata)


def _known(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind):
        return pa.float64()
    return pa.list_(_known(kind.value_type)) if pa.types.is_list(kind) else kind
