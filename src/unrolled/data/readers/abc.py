"""ABC music notation: a file is split into tunes, a tune a row, as text.

A tune begins with its field ``X:`` and ends before an empty line or the next ``X:``; what stands between tunes (file
headers, remarks) is left out. Whether a tune is whole and keeps its metre, `check_tune` tells.

References:
    The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from unrolled.config import DataConfig
from unrolled.data.readers.abc_bars import bar_problems
from unrolled.data.readers.text import text_buffer
from unrolled.errors import DataError

__all__ = ["SUFFIXES", "check_tune", "read_abc", "split_tunes"]

SUFFIXES = (".abc",)
_FIELD = re.compile(r"([A-Za-z+]):(.*)")


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


def check_tune(text: str) -> list[str]:
    r"""What is wrong with a tune; nothing if it is valid.

    A valid tune begins with ``X:``, has one metre ``M:`` or more, ends its header with ``K:``, and has notes behind it
    that can be read. Every bar is as long as the metre says, to the exact fraction. Shorter ones are allowed where
    music starts or stops in the midst of a bar: at both ends of the tune and of its parts, which are repeats, endings
    and what stands between double bars. The end of a line may stand for a bar line. With ``M:none`` bars are as they
    like. A missing ``L:`` stands for 1/16 in metres under 3/4, else for 1/8, as the standard says.

    Example:
        >>> check_tune("X:1\nM:3/4\nL:1/4\nK:C\nC | CDE | G>AB | c2 :|\n")
        []
        >>> check_tune("X:1\nM:3/4\nL:1/4\nK:C\nCDE | CD | CDE |]\n")
        ['bar 2 is 1/2 long, not 3/4']
    """
    header, body = _parts(text)
    names = [name for name, _ in header]
    problems = []
    if not names or names[0] != "X":
        problems.append("it does not begin with X:")
    if "K" not in names:
        return [*problems, "its header has no K:"]
    if "M" not in names:
        problems.append("its header has no M:")
    fields = dict(header)
    return problems + bar_problems(fields.get("M", "none"), fields.get("L", ""), body)


def _parts(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The fields up to ``K:``, and the lines behind it."""
    header: list[tuple[str, str]] = []
    lines = text.strip().split("\n")
    for number, line in enumerate(lines):
        if line.startswith("%"):
            continue
        field = _FIELD.match(line)
        if field is None:
            return header, lines[number:]
        header.append((field[1], field[2].split("%")[0].strip()))
        if field[1] == "K":
            return header, lines[number + 1 :]
    return header, []


MEMBER = read_abc
