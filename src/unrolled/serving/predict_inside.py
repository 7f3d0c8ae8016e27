"""What goes on inside a model on a row: the sections of an inspection, for the page to draw beside the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from unrolled.data.encodings.facets import Numbers, Text
from unrolled.data.tables.in_memory import to_table
from unrolled.errors import DataError
from unrolled.page.document import markup, payload
from unrolled.runs.traced_rows import traced_row
from unrolled.runs.trained import Trained
from unrolled.serving.messages import decoded, encoded
from unrolled.views.looked import Looked
from unrolled.views.shown import shown

__all__ = ["Read", "answered"]

_UNITS = 64  # of a gate or state that are drawn


class Read(Struct, forbid_unknown_fields=True):
    """The values that a session has read, the oldest first: each ``{column: value}``, or the value of the only one."""

    xs: list[Any]


_decoder = msgspec.json.Decoder(Read)


def answered(trained: Trained, body: pa.Buffer, asked: Mapping[str, str]) -> bytes:  # noqa: ARG001 - as every work
    """The sections as ``html``, and what their views draw, as `payload` gives it.

    Args:
        trained: the model.
        body: the values that were read, as JSON (see `Read`).
        asked: nothing.

    Raises:
        DataError: there are none, or they are no row that the model reads.
    """
    values = decoded(_decoder, memoryview(body)).xs
    if not values:
        raise DataError("is empty: push something first", file="the row")
    seen = traced_row(trained, trained.read(to_table(_row(trained, values))), 0, None)
    looked = Looked(trained.task, seen.trace, seen.start, units=_UNITS, network=trained.network)
    sections = shown(looked)
    return encoded({"html": markup(sections, "inside"), **payload(sections)})


def _row(trained: Trained, values: Sequence[Any]) -> dict[str, list[Any]]:
    """The values of a session as one row."""
    coder, row = trained.task.coder, dict[str, list[Any]]()
    rows = [value if isinstance(value, dict) else {coder.reads[0]: value} for value in values]
    for name in coder.reads:
        cells, encoding = [one.get(name) for one in rows], coder.inputs.get(name)
        if encoding is not None and not encoding.spec.time:
            row[name] = cells[-1:]
        elif isinstance(encoding, Text) and all(isinstance(cell, str) for cell in cells) and coder.first_item is None:
            row[name] = ["".join(cells)]
        else:
            row[name] = [[_number(cell) for cell in cells] if isinstance(encoding, Numbers) else cells]
    return row


def _number(cell: Any) -> Any:
    """A cell of a box or a file as the number that it is."""
    try:
        return float(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell
