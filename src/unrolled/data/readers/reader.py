"""What a reader is, and which reader a file has.

A module with a line ``MEMBER = Reader(…)`` adds a reader; the names of helper modules start with an underscore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from unrolled.config import Part
from unrolled.data.config import DataConfig
from unrolled.data.encodings._alphabets import Name
from unrolled.data.io.unpacking import Beginning, plain_name
from unrolled.errors import DataError, UsageError
from unrolled.registry import Registry

__all__ = ["DECIMAL", "READERS", "REMARK", "STEP", "Reader", "ending_of", "reader_of", "remarks_of", "suffixes"]

READERS = Registry("reader")
REMARK = b"remark"  # in a table's metadata: what the user should know about how it was read, a line for each thing
STEP = b"step"  # in a table's metadata: step, season, horizon and longest of its series as JSON, where the file says so
DECIMAL = b"decimal"  # in a table's metadata: the decimal sign of its numbers, if it is a comma


def remarks_of(table: pa.Table) -> list[str]:
    """What the user should know about how the file of ``table`` was read: the lines of its `REMARK`."""
    return (table.schema.metadata or {}).get(REMARK, b"").decode().splitlines()


def _never(_: Beginning) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader of one format.

    It may set metadata on the field of a column: ``kind`` is the column's kind; ``aside`` says why the column is left
    out unless the user chooses it by name. `REMARK`, `DECIMAL` and `STEP` are metadata of the whole table.

    Attributes:
        suffixes: suffixes of its files, in lower case.
        read: reads the table in one file; a `DataError` names the file and what is wrong with it.
        example: the column of a file's bytes, where a file is one example and its folder may be its label; ``None``
            where a file is a table.
        check: checks all files that are read together: file -> the error. It takes their tables, how they are read and,
            for data read by a trained model, the alphabet of its symbols.
        Options: the class of its own options; ``read`` finds them with ``config.of``.
        recognises: how sure it is, from 0 to 100, that a file that starts so is one of its own. At 100 nothing else
            starts so, and the file is read by it whatever its suffix; from 50 it is read by it if its suffix is vague
            or unknown; below, the user is asked.
        vague: those of its suffixes that say little about the content, such as ``.txt``.
        tabular: whether its files are tables with named columns, which may name the files beside them.
        headed: whether ``config.header`` may name its columns; so it may those of every table.
        whole: reads a file that is one example as one row, in a folder of such files or for a table that names them;
            not needed where ``example`` is set. The first column is what a table's cell becomes.
        scan: reads a file in blocks of about so many bytes, all with the same columns and types, so that it is never in
            memory as a whole; ``None`` where only ``read`` can.
        piped: reads what is piped into a model that was trained on such files, under its name in messages; ``None``
            where only a table can be.
        sidecar: whether such files often only describe others; a folder is read by it only if nothing else fits.
        labelled: whether subfolders of its files are labels to learn, if ``example`` is ``None``.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Path, DataConfig], pa.Table]
    example: str | None = None
    check: Callable[[Mapping[Path, pa.Table], DataConfig, Name | None], dict[Path, DataError]] | None = None
    Options: type[Part] = Part
    recognises: Callable[[Beginning], int] = _never
    vague: tuple[str, ...] = ()
    tabular: bool = False
    headed: bool = False
    whole: Callable[[Path, DataConfig], pa.Table] | None = None
    scan: Callable[[Path, DataConfig, int], Iterator[pa.Table]] | None = None
    piped: Callable[[pa.Buffer, str, DataConfig], pa.Table] | None = None
    sidecar: bool = False
    labelled: bool = False


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
    ending = _ending(path.name, known)
    return known[ending] if ending else None


def ending_of(path: Path, config: DataConfig, own: Iterable[str]) -> str:
    """The one of a reader's ``own`` suffixes that ``config.format`` names or, without it, that the file has; or "".

    The suffix of a packed file, such as ``.gz``, does not count.
    """
    asked = f".{config.format.lower().removeprefix('.')}" if config.format else ""
    if asked in own:
        return asked
    return _ending(plain_name(path), own) or _ending(path.name, own)


def _ending(name: str, known: Iterable[str]) -> str:
    return max((suffix for suffix in known if name.lower().endswith(suffix)), key=len, default="")
