"""The contracts of a reader as functions of the reader, a valid file, and an empty folder for others (C11)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.readers.reader import Reader, reader_of
from unrolled.errors import DataError
from unrolled.testing.damage import mutated
from unrolled.testing.report import Broken, require

__all__ = ["CONTRACTS", "read_or_refused"]

_DAMAGED = 100  # files


def reads_its_files(reader: Reader, good: Path, _: Path) -> None:
    """A reader has lower-case suffixes, and reads the same table, which is not empty, from a valid file each time."""
    wrong = [suffix for suffix in reader.suffixes if not suffix.startswith(".") or suffix != suffix.lower()]
    require(bool(reader.suffixes) and not wrong, f"suffixes must be like '.abc', got {reader.suffixes}")
    known = dict.fromkeys(reader.suffixes, "it")
    require(reader_of(good, known) == "it", f"{good.name} has none of its suffixes {', '.join(reader.suffixes)}")
    table, again = (reader.read(good, DataConfig()) for _ in range(2))
    require(isinstance(table, pa.Table), f"read gives {type(table).__name__}, expected a pyarrow.Table")
    require(table.num_rows > 0, f"read gives a table of {table.num_rows} rows, with the columns {table.column_names}")
    require(len({*table.column_names}) == table.num_columns, f"two columns have one name: {table.column_names}")
    require(table.equals(again), "the same file read again gives another table")


def refuses_what_is_not_there(reader: Reader, good: Path, folder: Path) -> None:
    """C11: a missing file and an empty one are refused with a `DataError` that names the file."""
    empty = folder / f"empty{_ending(reader, good)}"
    empty.touch()
    for path in (folder / f"missing{_ending(reader, good)}", empty):
        require(not read_or_refused(reader, path), f"{path.name} is read, although it is missing or empty")


def survives_damage(reader: Reader, good: Path, folder: Path) -> None:
    """C11: a damaged file is read, or refused in one line that names it."""
    data, dice = good.read_bytes(), random.Random(0)
    for number in range(_DAMAGED):
        path = folder / f"damaged-{number}{_ending(reader, good)}"
        path.write_bytes(mutated(data, dice))
        read_or_refused(reader, path)


def read_or_refused(reader: Reader, path: Path) -> bool:
    """Whether ``path`` is read rather than refused.

    Raises:
        Broken: the error does not name the file, has several lines, or is not a `DataError`.
    """
    try:
        reader.read(path, DataConfig())
    except DataError as error:
        require(str(path) in str(error) and "\n" not in str(error), f"the error about {path.name} reads: {error}")
        return False
    except Exception as error:
        raise Broken(f"{path.name} is refused with {type(error).__name__}, expected a DataError: {error}") from error
    return True


def _ending(reader: Reader, good: Path) -> str:
    return max((suffix for suffix in reader.suffixes if good.name.lower().endswith(suffix)), key=len)


CONTRACTS: Sequence[Callable[[Reader, Path, Path], None]] = (
    reads_its_files,
    refuses_what_is_not_there,
    survives_damage,
)
