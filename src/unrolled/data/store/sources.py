"""The files that prepared data was made from, by size and time: whether they changed is known without reading them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from unrolled.data.encodings._stored import Stored
from unrolled.data.io.folder import files_in, holds_files
from unrolled.data.io.line_files import line_files

__all__ = ["Mark", "marks_of"]


class Mark(Stored):
    """A file as it was: its path, its size in bytes, and the time of its last change in nanoseconds."""

    path: str
    size: int
    time: int

    @classmethod
    def of(cls, path: Path) -> Mark:
        """The file as it is now; raises an `OSError` if it is not there."""
        found = path.stat()
        return cls(path=str(path.resolve()), size=found.st_size, time=found.st_mtime_ns)

    def holds(self) -> bool:
        """Whether the file still is as it was."""
        try:
            return Mark.of(Path(self.path)) == self
        except OSError:
            return False


def marks_of(sources: Iterable[str | Path]) -> list[Mark]:
    """The files of ``sources``: files, folders, or several files that are read together.

    Raises:
        OSError, DataError: one of them is not there.
    """
    found: list[Mark] = []
    for source in sources:
        path = Path(source)
        paths = line_files(source) or (tuple(files_in(path)) if holds_files(path) else (path,))
        found += [Mark.of(path) for path in paths]
    return found
