"""Fingerprints of data (path, size and SHA-256), by which a resumed run can tell whether its data has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from unrolled.data.io.addresses import is_address
from unrolled.data.io.folder import files_in, holds_files, root_of
from unrolled.data.io.line_files import line_files
from unrolled.data.io.mapped import open_regular
from unrolled.data.io.remote import near
from unrolled.errors import IN_MEMORY, DataError, Origin

__all__ = ["MEMORY", "fingerprint", "fingerprint_table", "origin_of", "verify"]

_ROWS = 1 << 18  # whose copy is in memory, to be digested
MEMORY = "memory"  # the path of data that was not read from a file


def fingerprint(path: Path | str) -> dict[str, str | int]:
    """``path``, ``size`` in bytes and ``sha256`` of a file, of several read together, or of all files of a folder.

    Raises:
        DataError: the file is missing or unreadable, or the folder has no files.
        SpaceError, UsageError, MissingExtra: of a remote source, see `unrolled.data.io.remote.near`.
    """
    if is_address(path):
        with near(path) as here:
            return {**fingerprint(here.source), "path": str(path)}
    if parts := line_files(path):
        found = [fingerprint(part) for part in parts]
        digest = hashlib.sha256("\n".join(str(part["sha256"]) for part in found).encode()).hexdigest()
        return {"path": str(path), "size": sum(int(part["size"]) for part in found), "sha256": digest}
    path = Path(path)
    if not holds_files(path):
        size, digest = _digest(path)
        return {"path": str(path), "size": size, "sha256": digest}
    total, whole = 0, hashlib.sha256()
    for file in files_in(path):
        try:
            size, digest = _digest(file)
        except DataError:  # readers leave it out too
            size, digest = 0, "unreadable"
        total += size
        whole.update(f"{file.relative_to(root_of(path)).as_posix()}\0{digest}\n".encode("utf-8", "surrogateescape"))
    return {"path": str(path), "size": total, "sha256": whole.hexdigest()}


def fingerprint_table(table: pa.Table) -> dict[str, str | int]:
    """The fingerprint of a table in memory, which does not depend on how the table is chunked.

    Example:
        >>> one = pa.table({"x": pa.chunked_array([[1], [2, 3]])})
        >>> fingerprint_table(one) == fingerprint_table(one.combine_chunks())
        True
    """
    size, digest = 0, hashlib.sha256()
    for first in range(0, max(1, table.num_rows), _ROWS):
        part = table
        if table.num_rows > _ROWS:  # copied: of a part of longer buffers, Arrow writes more than the part
            part = table.slice(first, _ROWS)
            part = part.take(pa.array(range(part.num_rows)))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part.combine_chunks())
        data = sink.getvalue()
        size += data.size
        digest.update(data)
    return {"path": MEMORY, "size": size, "sha256": digest.hexdigest()}


def origin_of(saved: dict[str, str | int]) -> Origin:
    """What to call the data of a fingerprint."""
    return IN_MEMORY if saved["path"] == MEMORY else Origin(str(saved["path"]))


def verify(saved: dict[str, str | int], now: dict[str, str | int]) -> None:
    """Check that the fingerprint of the data ``now`` is the ``saved`` one.

    Raises:
        DataError: the data has changed.
    """
    place = origin_of(now)
    hint = "put the old data back, or start a new run"
    if now["size"] != saved["size"]:
        change = f"had {saved['size']} bytes when the run started and now has {now['size']}"
        raise DataError(f"the data has changed: it {change}", file=place, hint=hint)
    if now["sha256"] != saved["sha256"]:
        change = "has the same size as when the run started, but other contents"
        raise DataError(f"the data has changed: it {change}", file=place, hint=hint)


def _digest(path: Path) -> tuple[int, str]:
    with open_regular(path, empty=True) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest
