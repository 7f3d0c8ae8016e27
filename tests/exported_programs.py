"""The programs of an export, imported from its folder."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import unrolled

__all__ = ["PROGRAMS", "programs"]

PROGRAMS = Path(unrolled.__file__).parent / "export" / "folder"


@contextlib.contextmanager
def programs(folder: Path) -> Iterator[ModuleType]:
    """The module ``run`` of a folder, whose other modules are forgotten afterwards."""
    names = ("run", "read_columns", "read_symbols", "split_words", "write_answers", "search_paths")
    sys.path.insert(0, str(folder))
    try:
        import run  # type: ignore[import-not-found]

        yield run
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
