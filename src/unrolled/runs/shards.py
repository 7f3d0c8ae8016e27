"""Which files of a source are whose, where several processes share them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unrolled.data.config import DataConfig
from unrolled.data.io.folder import holds_files, root_of
from unrolled.data.tables.source import files_of
from unrolled.errors import UsageError, named

__all__ = ["Shard", "sizes_of"]

_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Process ``index``, from 0, of ``count``."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A shard as it is written on the command line.

        Raises:
            UsageError: it is not one.

        Example:
            >>> Shard.parse("2/8")
            Shard(index=2, count=8)
        """
        found = _WRITTEN.fullmatch(text)
        if found is None or not int(found[1]) < int(found[2]):
            raise UsageError(
                f"{named('shard')} must be i/n with 0 ≤ i < n, such as 0/8 for the first of 8, got {text!r}"
            )
        return cls(int(found[1]), int(found[2]))

    def of(self, sizes: Mapping[str, int]) -> list[str]:
        """The names of this shard's files, in order: the largest file first, each goes to the shard with least so far.

        It depends on nothing but the names and sizes, so that every process deals alike.

        Example:
            >>> [Shard(index, 2).of({"a": 5, "b": 3, "c": 3, "d": 2}) for index in (0, 1)]
            [['a', 'd'], ['b', 'c']]
        """
        loads, mine = [0] * self.count, list[str]()
        for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
            least = loads.index(min(loads))
            loads[least] += max(sizes[name], 1)
            if least == self.index:
                mine.append(name)
        return [name for name in sizes if name in {*mine}]


def sizes_of(source: Path, config: DataConfig) -> dict[str, int]:
    """The files of a folder by their names below it, or a single file, in order, with their sizes.

    Raises:
        DataError: there is no such file, or no file of the folder has a known format.
        UsageError: the folder's files are single rows, such as recordings.
    """
    files: Sequence[Path] = files_of(source, config) if holds_files(source) else [source]
    return {file.relative_to(root_of(source)).as_posix(): file.stat().st_size for file in files}
