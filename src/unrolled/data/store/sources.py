"""The files that prepared data was made from, by size and time: whether they changed is known without reading them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unrolled.data.encodings._stored import Stored
from unrolled.data.io.addresses import is_address
from unrolled.data.io.folder import files_in, holds_files
from unrolled.data.io.line_files import line_files
from unrolled.data.io.remote import listed_at

__all__ = ["Mark", "marks_of"]


class Mark(Stored):
    """A file as it was.

    Attributes:
        path: its path, or its address in a remote store.
        size: in bytes.
        time: of its last change, in nanoseconds.
        tag: what a remote store calls its contents; empty for a file on this machine.
    """

    path: str
    size: int
    time: int
    tag: str = ""

    @classmethod
    def of(cls, path: Path) -> Mark:
        """The file as it is now; raises an `OSError` if it is not there."""
        found = path.stat()
        return cls(path=str(path.resolve()), size=found.st_size, time=found.st_mtime_ns)


def marks_of(sources: Iterable[str | Path]) -> list[Mark]:
    """The files of ``sources``: files, folders, or several files that are read together; remote ones are listed.

    Raises:
        OSError, DataError: one of them is not there.
        UsageError, MissingExtra: of a remote source, see `unrolled.data.io.remote.near`.
    """
    found: list[Mark] = []
    for source in sources:
        if is_address(source):
            remote = listed_at(source)
            found += [Mark(path=file.address, size=file.size, time=file.time, tag=file.tag) for file in remote]
            continue
        path = Path(source)
        paths = line_files(source) or (tuple(files_in(path)) if holds_files(path) else (path,))
        found += [Mark.of(path) for path in paths]
    return found
