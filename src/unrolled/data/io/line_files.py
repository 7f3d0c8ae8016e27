"""Two or more files that are read together, line by line: ``train.en,train.de``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["line_files"]


def line_files(source: Any) -> tuple[Path, ...]:
    """The files that ``source`` names, separated by commas; none if it is one path, or is not a path.

    Example:
        >>> line_files("no,such,files")
        ()
    """
    if not isinstance(source, str | os.PathLike) or "," not in str(source) or os.path.lexists(source):
        return ()
    paths = tuple(Path(part.strip()) for part in str(source).split(","))
    return paths if any(path.is_file() for path in paths) else ()
