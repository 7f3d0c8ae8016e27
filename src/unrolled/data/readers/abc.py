"""ABC music notation: a file is split into tunes, a row for each, as text or as notes.

A tune starts with its field ``X:`` and ends before an empty line or the next ``X:``; lines between tunes (file headers,
remarks) are left out. `unrolled.music.abc` parses the notes.

References:
    The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._notes import MusicOptions, events_or_rolls
from unrolled.data.readers._shapes import first_lines
from unrolled.data.readers.reader import Reader
from unrolled.data.readers.text import text_buffer
from unrolled.errors import DataError
from unrolled.music.abc import parse_abc

__all__ = ["read_abc", "split_tunes"]

_FIRST, _KEY = re.compile(r"X: *\d+\s*$"), re.compile(r"K: *(none|HP|Hp|[A-G][#b]?)")  # the fields that each tune has
_log = logging.getLogger(__name__)


def read_abc(path: Path, config: DataConfig) -> pa.Table:
    r"""A row for each tune of the file, in a column ``text``; each ends with one ``\n``.

    If the option ``music`` is ``events`` or ``roll``, a row has the notes of a tune; a tune that cannot be read is left
    out, with a warning.

    Raises:
        DataError: the file is missing or empty, is not in ``config.text_encoding``, has no tunes, or has none whose
            notes can be read.
    """
    music = config.of("reader", "abc").music
    tunes = split_tunes(str(memoryview(text_buffer(path, config.text_encoding)), "utf-8"))
    if not tunes:
        raise DataError("has no tunes: no line starts with X:", file=str(path))
    if music in (None, "text"):
        return pa.table({"text": pa.array(tunes, pa.large_string())})
    pieces, faults = [], []
    for nth, text in enumerate(tunes, start=1):
        try:
            pieces.append(parse_abc(text, f"tune {nth}").notes)
        except DataError as error:
            faults.append(str(error))
    if not pieces:
        raise DataError(f"none of its {len(tunes)} tunes can be read: {faults[0]}", file=str(path))
    if faults:
        _log.warning("%s: %d of %d tunes are left out: %s", path, len(faults), len(tunes), "; ".join(faults[:5]))
    return events_or_rolls(pieces, music == "roll")


def split_tunes(text: str) -> list[str]:
    r"""The tunes in ``text``, each with one line end after it.

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


def _recognises(beginning: Beginning) -> int:
    lines = first_lines(beginning)
    return 90 if any(map(_FIRST.match, lines[:20])) and any(map(_KEY.match, lines)) else 0


MEMBER = Reader((".abc",), read_abc, Options=MusicOptions, recognises=_recognises)
