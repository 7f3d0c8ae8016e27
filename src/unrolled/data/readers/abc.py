"""ABC music notation: a file is split into tunes, a tune a row, as text.

A tune begins with its field ``X:`` and ends before an empty line or the next ``X:``; what stands between tunes (file
headers, remarks) is left out. What its notes are, `unrolled.music.abc` tells.

References:
    The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from unrolled.config import DataConfig
from unrolled.data.readers.text import text_buffer
from unrolled.errors import DataError

__all__ = ["SUFFIXES", "read_abc", "split_tunes"]

SUFFIXES = (".abc",)


def read_abc(path: Path, config: DataConfig) -> pa.Table:
    r"""A row for each tune of the file, in a column ``text``; each ends with one ``\n``.

    Raises:
        DataError: the file is missing or empty, is not of ``config.text_encoding``, or holds no tune.
    """
    tunes = split_tunes(str(memoryview(text_buffer(path, config.text_encoding)), "utf-8"))
    if not tunes:
        raise DataError("holds no tune: no line begins with X:", file=str(path))
    return pa.table({"text": pa.array(tunes, pa.large_string())})


def split_tunes(text: str) -> list[str]:
    r"""The tunes in ``text``, each with one line end behind it.

    Example:
        >>> split_tunes("% airs\n\nX:1\nK:C\nCDE\n\nX:2\nK:C\nEDC")
        ['X:1\nK:C\nCDE\n', 'X:2\nK:C\nEDC\n']
    """
    tunes: list[list[str]] = []
    inside = False
    for line in text.split("\n"):
        begins = line.startswith("X:")
        inside = begins or (inside and bool(line.strip()))
        if begins:
            tunes.append([])
        if inside:
            tunes[-1].append(line)
    return ["\n".join(lines).rstrip() + "\n" for lines in tunes]


MEMBER = read_abc
