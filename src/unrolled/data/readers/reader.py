"""What a reader is, and which reader a file has.

A module with a line ``MEMBER = Reader(…)`` adds a reader; the names of helper modules start with an underscore.
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

    It may set metadata on the field of a column: ``kind`` is the column's kind; ``aside`` says why the column is left
    out unless the user chooses it by name.

    Attributes:
        suffixes: suffixes of its files, in lower case.
        read: reads the table in one file; a `DataError` names the file and what is wrong with it.
        example: the column of a file's bytes, where a file is one example and its folder may be its label; ``None``
            where a file is a table.
        check: checks all files that are read together: file -> the error. It takes their tables, how they are read and,
            for data read by a trained model, the alphabet of its symbols.
        Options: the class of its own options; ``read`` finds them with ``config.of``.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Path, DataConfig], pa.Table]
    example: str | None = None
    check: Callable[[Mapping[Path, pa.Table], DataConfig, Name | None], dict[Path, DataError]] | None = None
    Options: type[Part] = Part


def suffixes() -> dict[str, str]:
    """File suffix -> the name of its reader; imports all readers, which do not import torch.

    Raises:
        UsageError: two readers have the same suffix.
    """
    known: dict[str, str] = {}
    for name, reader in READERS.members().items():
        for suffix in reader.suffixes:
            if suffix in known:
                raise UsageError(f"the readers {known[suffix]!r} and {name!r} both read {suffix} files")
            known[suffix] = name
    return known


def reader_of(path: Path, known: Mapping[str, str]) -> str | None:
    """The reader of ``path``, by the longest suffix that fits; ``None`` if none fits.

    Args:
        path: the path of a file.
        known: suffix -> reader, as returned by `suffixes`.
    """
    fitting = [suffix for suffix in known if path.name.lower().endswith(suffix)]
    return known[max(fitting, key=len)] if fitting else None
