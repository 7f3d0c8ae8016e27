"""A folder, or a pattern such as ``logs/*.csv``, as one source of data: its regular files in a fixed order."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from unrolled.data.io.unpacking import plain_name
from unrolled.errors import DataError

__all__ = ["bytes_of", "check_some", "files_in", "holds_files", "listed", "name_of", "root_of", "unlike"]

_LISTED = 20  # files that a message lists at most
_PACKED = 8  # times as much is about what a packed file holds


def holds_files(path: Path) -> bool:
    """Whether ``path`` is a folder, or a pattern of file names that is not itself the name of a file."""
    return path.is_dir() or (glob.has_magic(str(path)) and not os.path.lexists(path))


def root_of(path: Path) -> Path:
    """The folder below which the files of ``path`` have their names: of a pattern, what stands before it.

    Example:
        >>> root_of(Path("logs/2024-*/part-?.csv")).as_posix()
        'logs'
    """
    if path.is_dir():
        return path
    return next(one for one in path.parents if not (holds_files(path) and glob.has_magic(str(one))))


def name_of(source: str | Path) -> str:
    """What to call things that are made of a source: its name without suffix and signs; "" if it has none.

    Example:
        >>> name_of("data/my clicks.csv"), name_of("data/*.csv"), name_of("*.csv")
        ('my-clicks', 'data', '')
    """
    path = Path(source)
    return re.sub(r"[^\w.-]+", "-", (root_of(path) if holds_files(path) else path).stem)


def files_in(folder: Path) -> list[Path]:
    """Every regular file below ``folder``, sorted by relative name, except hidden files and those in linked folders.

    Of a pattern, such as ``logs/*.csv`` or ``logs/**/*.csv``, the files that it names.

    Raises:
        DataError: the folder has no files, a folder cannot be read, or no file has such a name.
    """
    if not folder.is_dir():
        return _files_named(folder)

    def stop(error: OSError) -> None:
        raise DataError(f"cannot be read: {error.strerror}", file=str(error.filename))

    found = []
    for place, folders, names in os.walk(folder, onerror=stop, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.is_file()]
    if not found:
        raise DataError("this folder has no files", file=str(folder))
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _files_named(pattern: Path) -> list[Path]:
    root = root_of(pattern)
    named = root.glob(pattern.relative_to(root).as_posix())
    shown = (path for path in named if not any(part.startswith(".") for part in path.relative_to(root).parts))
    found = [path for path in shown if path.is_file()]
    if not found:
        raise DataError("no file has such a name", file=str(pattern))
    return sorted(found, key=lambda path: path.parts)


def bytes_of(path: Path) -> int:
    """The size of a file, or of all files of a folder, in bytes; of a packed file about what it holds.

    Raises:
        DataError: as in `files_in`.
        OSError: a file is not there.
    """
    files = files_in(path) if holds_files(path) else [path]
    return sum(file.stat().st_size * (_PACKED if plain_name(file) != file.name else 1) for file in files)


def check_some(folder: Path, broken: Sequence[str], files: int, what: str) -> list[str]:
    """A remark for the user about the ``broken`` files, which are left out; empty if there are none.

    Args:
        folder: the folder.
        broken: for each broken file, why it cannot be read.
        files: how many files there are, broken ones included.
        what: the kind of file, for the error.

    Raises:
        DataError: every file is broken.
    """
    if len(broken) == files:
        message = f"none of its {files} {what} files can be read; the first: {broken[0]}"
        raise DataError(message, file=str(folder))
    return [f"{len(broken)} of {files} files are left out: {listed(broken)}"] if broken else []


def unlike(tables: Mapping[Path, pa.Table]) -> dict[Path, DataError]:
    """The ``tables`` whose columns or types differ from most others, so that they cannot be concatenated, and why.

    A column without any value fits every type, and integers fit floats.

    Raises:
        DataError: no form of columns is the most frequent one.
    """
    names = Counter(tuple(table.column_names) for table in tables.values())
    most = max(names, key=lambda form: names[form])
    if len(names) > 1 and [*names.values()].count(names[most]) > 1:
        have = [f"{file.name} has {', '.join(table.column_names[:5])}" for file, table in tables.items()]
        folder = os.path.commonpath([file.parent for file in tables])
        raise DataError(f"its tables differ in their columns: {listed(have)}", file=folder, hint="give one of them")
    named = {file: table.schema for file, table in tables.items() if tuple(table.column_names) == most}
    forms = Counter(tuple(schema.types) for schema in named.values())
    common = max(forms, key=lambda form: forms[form])
    first = next(file for file, schema in named.items() if tuple(schema.types) == common)
    joint, found = named[first], {}
    for file, table in tables.items():
        if file not in named:
            differing = sorted(set(table.column_names) ^ set(most)) or ["their order"]
            found[file] = DataError(
                f"does not have the same columns as {first.name}: {', '.join(differing)}", file=str(file)
            )
            continue
        try:
            joint = pa.unify_schemas([joint, table.schema], promote_options="permissive")
        except pa.ArrowException:
            odd = next(name for name in most if _incompatible(joint.field(name), table.schema.field(name)))
            message = f"holds {table.schema.field(odd).type}, but most files have {joint.field(odd).type}"
            found[file] = DataError(message, file=str(file), column=odd)
    return found


def _incompatible(one: pa.Field, other: pa.Field) -> bool:
    try:
        pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive")
    except pa.ArrowException:
        return True
    return False


def listed(texts: Sequence[str]) -> str:
    """The first twenty ``texts``, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed(["a"] * 22)[-15:]
        ('a; b', '; a; and 2 more')
    """
    rest = f"; and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return "; ".join(texts[:_LISTED]) + rest
