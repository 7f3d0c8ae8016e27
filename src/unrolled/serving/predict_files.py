"""Files that are one example, such as a tune or a recording: as values of a session, or answered whole."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from unrolled.data.encodings.encoding import Where
from unrolled.data.encodings.facets import Heard
from unrolled.data.readers.reader import READERS, Reader, reader_of, suffixes
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.runs.trained import Trained
from unrolled.serving.messages import encoded

__all__ = ["answered"]

_MOST = 20_000  # values of a session that are sent back


def answered(trained: Trained, body: pa.Buffer, asked: Mapping[str, str]) -> bytes:
    """What the model makes of a file: ``values`` for a session, or the answers as ``rows``.

    Args:
        trained: the model.
        body: the file.
        asked: its ``name``, of which the ending counts; ``streams``: empty, if the model has no sessions.

    Raises:
        DataError: the file is damaged, or the model does not read such files.
        MissingExtra: what reads it is not installed.
    """
    name = Path(asked["name"]).name[-60:] or "the file"
    part = trained.read(_table(trained, body, name))
    trained.task.coder.check_columns(part, with_target=False)
    values = _values(trained, part, name) if asked["streams"] else None
    if values is None:
        return encoded({"rows": [_told(row) for row in trained.predict(part).to_pylist()]})
    if len(values) > _MOST:
        raise DataError(f"has {len(values):,} steps, at most {_MOST:,} are read here", file=name)
    return encoded({"values": values})


def _table(trained: Trained, body: pa.Buffer, name: str) -> pa.Table:
    """The file as one row, read by the reader that its ending names, and by no other."""
    known = reader_of(Path(name), suffixes())
    reader: Reader | None = None if known is None else READERS.get(known)
    read = None if reader is None else reader.whole or (reader.read if reader.example else None)
    if reader is None or read is None or (reader.example and not _hears(trained, reader.example)):
        raise _strange(trained, name)
    with tempfile.TemporaryDirectory(prefix="unrolled-") as folder:
        path = Path(folder) / f"file{Path(name).suffix.lower()}"
        path.write_bytes(body)
        try:
            found = read(path, trained.config.data)
        except DataError as error:
            raise DataError(str(error).replace(str(path), name)) from None
        its = [column for column in found.column_names if column in trained.task.coder.reads]
        if not its:
            raise _strange(trained, name)
        return pa.ipc.open_stream(_copied(found.select(its))).read_all()  # what is read may lie in the file, which goes


def _strange(trained: Trained, name: str) -> DataError:
    reads = ", ".join(trained.task.coder.reads)
    return DataError(f"this model reads {reads}, which are not in such a file", file=name)


def _copied(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _hears(trained: Trained, column: str) -> bool:
    return isinstance(trained.task.coder.inputs.get(column), Heard)


def _values(trained: Trained, part: Sequences, name: str) -> list[dict[str, Any]] | None:
    """One value for each step of the row; ``None`` if its steps are not known one by one."""
    coder = trained.task.coder
    steps: dict[str, Any] = {}
    for column in coder.reads:
        cell, encoding = part.column(column)[0].as_py(), coder.inputs.get(column)
        if isinstance(cell, bytes):
            if not isinstance(encoding, Heard):
                return None
            try:
                cell = encoding.hear(memoryview(cell), Where(name, column))
            except UsageError:  # its frames depend on later ones
                return None
        steps[column] = cell
    count = max((len(cell) for cell in steps.values() if isinstance(cell, list)), default=1)
    return [
        {column: cell[at] if isinstance(cell, list) else cell for column, cell in steps.items()} for at in range(count)
    ]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """The answers in a row, without the bytes of what was read."""
    return {name: value for name, value in row.items() if not isinstance(value, bytes)}
