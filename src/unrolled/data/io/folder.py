"""A folder as one source of data: its regular files, in one order on every machine; what of them cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from unrolled.errors import DataError

__all__ = ["check_some", "files_in", "listed", "unlike"]

_LISTED = 20  # of the files that are left out


def files_in(folder: Path) -> list[Path]:
    """Every regular file below ``folder``, sorted by relative name, but hidden ones and those behind a linked folder.

    Raises:
        DataError: there is no file, or a folder cannot be read.
    """

    def stop(error: OSError) -> None:
        raise DataError(f"cannot be read: {error.strerror}", file=str(error.filename))

    found = []
    for place, folders, names in os.walk(folder, onerror=stop, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.is_file()]
    if not found:
        raise DataError("is a folder without files", file=str(folder))
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def check_some(folder: Path, broken: Sequence[str], files: int, what: str) -> list[str]:
    """What a user should be told of the ``broken`` ones among so many files, which are left out.

    Args:
        folder: where they lie.
        broken: why each of them cannot be read.
        files: how many there are.
        what: what they are, for the error.

    Raises:
        DataError: it is all of them.
    """
    if len(broken) == files:
        message = f"not one of its {files} {what} files can be read; the first: {broken[0]}"
        raise DataError(message, file=str(folder))
    return [f"{len(broken)} of {files} files are left out: {listed(broken)}"] if broken else []


def unlike(tables: Mapping[Path, pa.Table]) -> dict[Path, DataError]:
    """Why some of the ``tables`` cannot stand below the others: they have other columns than most, or of other types.

    Of forms that equally many have, the first counts. Columns that lack all values go with any type, integers with
    floats.
    """
    names = Counter(tuple(table.column_names) for table in tables.values())
    most = max(names, key=lambda form: names[form])
    named = {file: table.schema for file, table in tables.items() if tuple(table.column_names) == most}
    forms = Counter(tuple(schema.types) for schema in named.values())
    common = max(forms, key=lambda form: forms[form])
    first = next(file for file, schema in named.items() if tuple(schema.types) == common)
    joint, found = named[first], {}
    for file, table in tables.items():
        if file not in named:
            differing = sorted(set(table.column_names) ^ set(most)) or ["their order"]
            found[file] = DataError(f"has other columns than {first.name}: {', '.join(differing)}", file=str(file))
            continue
        try:
            joint = pa.unify_schemas([joint, table.schema], promote_options="permissive")
        except pa.ArrowException:
            odd = next(name for name in most if _apart(joint.field(name), table.schema.field(name)))
            message = f"holds {table.schema.field(odd).type}, and {joint.field(odd).type} in most files"
            found[file] = DataError(message, file=str(file), column=odd)
    return found


def _apart(one: pa.Field, other: pa.Field) -> bool:
    try:
        pa.unify_schemas([pa.schema([one]), pa.schema([other])], promote_options="permissive")
    except pa.ArrowException:
        return True
    return False


def listed(texts: Sequence[str]) -> str:
    """The first twenty, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed(["a"] * 22)[-15:]
        ('a; b', '; a; and 2 more')
    """
    rest = f"; and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return "; ".join(texts[:_LISTED]) + rest
