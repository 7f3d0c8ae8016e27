"""What a reader is, and which reader a file has.

A reader's file has a line ``MEMBER = Reader(…)``; the names of files that only help begin with an underscore.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from unrolled.config import Part
from unrolled.data.config import DataConfig
from unrolled.data.encodings._alphabets import Name
from unrolled.errors import DataError, UsageError
from unrolled.registry import Registry

__all__ = ["READERS", "Reader", "reader_of", "suffixes"]

READERS = Registry("reader")


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader of one format.

    It may know more about a column than the values show, and says so in the metadata of the column's field: ``kind``
    is the column's kind; ``aside`` is why nothing is learned from it unless it is asked for by name.

    Attributes:
        suffixes: ends of its files' names, in small letters.
        read: the table in one file; a `DataError` names the file and what is wrong with it.
        example: the column of a file's bytes, where a file is one example and its folder tells its label; ``None``: a
            file is a table.
        check: finds what is wrong only once all the files that are read together are known: file -> the error. It
            gets their tables, how they are read and, for a model's later data, the alphabet of its symbols.
        Options: the class of its own options; ``read`` gets them from its second argument, by ``config.of``.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Path, DataConfig], pa.Table]
    example: str | None = None
    check: Callable[[Mapping[Path, pa.Table], DataConfig, Name | None], dict[Path, DataError]] | None = None
    Options: type[Part] = Part


def suffixes() -> dict[str, str]:
    """File suffix -> the name of the reader of such files; imports the readers, which import no torch.

    Raises:
        UsageError: two readers have the same suffix.
    """
    known: dict[str, str] = {}
    for name, reader in READERS.members().items():
        for suffix in reader.suffixes:
            if suffix in known:
                raise UsageError(f"both the reader {known[suffix]!r} and the reader {name!r} read {suffix} files")
            known[suffix] = name
    return known


def reader_of(path: Path, known: Mapping[str, str]) -> str | None:
    """The reader of ``path``, which has the longest suffix that fits; ``None`` if none fits.

    Args:
        path: of a file.
        known: suffix -> reader, as `suffixes` gives them.
    """
    fitting = [suffix for suffix in known if path.name.lower().endswith(suffix)]
    return known[max(fitting, key=len)] if fitting else None
