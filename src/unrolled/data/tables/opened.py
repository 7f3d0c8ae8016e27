"""A table on its way from a source to `Sequences`, and what its files say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pyarrow as pa

from unrolled.data.io.remote import Near
from unrolled.data.readers.reader import DECIMAL
from unrolled.data.tables.cadence import Cadence
from unrolled.errors import Origin

__all__ = ["Reading", "settled_of"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A table on its way to `Sequences`.

    Attributes:
        table: the table so far.
        origin: where it came from.
        reader: the name of the reader of its files; empty for data in memory.
        remarks: what the user should know about how it was read.
        dropped: column name -> why it is left out, as a phrase to follow "it".
        settled: option of reading -> what the data showed.
        cadence: how the times of the steps follow each other, if a column orders them.
    """

    table: pa.Table
    origin: Origin
    reader: str = ""
    remarks: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    settled: Mapping[str, Any] = field(default_factory=dict)
    cadence: Cadence | None = None

    def without(self, reasons: Mapping[str, str]) -> Self:
        """Leave out more columns, each with its reason; a later reason replaces an earlier one."""
        return replace(self, dropped={**self.dropped, **reasons})

    def at(self, here: Near) -> Self:
        """What was read of a copy, as if it was read where its address says."""
        remarks = tuple(here.text(remark) for remark in self.remarks)
        return replace(self, origin=here.origin(self.origin), remarks=remarks) if here.names else self


def settled_of(table: pa.Table) -> dict[str, Any]:
    """What a file showed about how it is to be read, by the name of the option."""
    metadata = table.schema.metadata or {}
    return {"decimal": metadata[DECIMAL].decode()} if DECIMAL in metadata else {}
