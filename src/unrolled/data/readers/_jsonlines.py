"""JSON Lines: an object on each line, a column for each key.

Arrow parses fast, but a line that is not an object, or is nested ten thousand deep, crashes the process, and its row
numbers restart in every block. So Python's own parser checks each line first, then Arrow makes the columns. Where Arrow
fails (a column changes its type), bisection finds the line.
"""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.json

from unrolled.errors import DataError, named

__all__ = ["read_json_lines"]

_DEEPEST = 64
_LARGEST_BLOCK = 2**31 - 1
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CHANGED = re.compile(r"Column\(/([^/)]*).*changed from (\w+) to (\w+)")


def read_json_lines(data: pa.Buffer, origin: str) -> pa.Table:
    """A row for each line of ``data``, which is JSON Lines; blank lines are skipped.

    Objects in cells become columns named ``key.inner``.

    Raises:
        DataError: a line is not an object, is nested too deep, or does not fit the lines before it.
    """
    ends = _line_ends(data, origin)
    block = min(_LARGEST_BLOCK, max(1 << 20, 2 * int(np.diff(ends, prepend=0).max())))
    try:
        return _flat(_parse(data, block))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raise _conflict(data, ends, block, origin) from None


def _flat(table: pa.Table) -> pa.Table:
    """The table with the parts of objects in its cells as columns, one level deep."""
    return table.flatten() if any(pa.types.is_struct(field.type) for field in table.schema) else table


def _line_ends(data: pa.Buffer, origin: str) -> np.ndarray:
    ends, objects = [], 0
    lines = io.BufferedReader(pa.BufferReader(data))
    for number, line in enumerate(lines, 1):
        ends.append(len(line))
        if line.strip():
            objects += 1
            _check(line, number, origin)
    if not objects:
        raise DataError("has no lines", file=origin)
    return np.cumsum(ends)


def _check(line: bytes, number: int, origin: str) -> None:
    try:
        if _depth(line) > _DEEPEST:
            raise DataError(f"is nested more than {_DEEPEST} levels deep", file=origin, row=number)
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {error.start + 1} of the line, 0x{line[error.start]:02x}, is not UTF-8",
            file=origin,
            row=number,
            hint=f"try {named('text_encoding')} latin-1, or the encoding of the file",
        ) from None
    except ValueError as error:
        raise DataError(
            f"is not JSON: {error}", file=origin, row=number, hint="write one object on each line"
        ) from None
    if not isinstance(value, dict):
        found = type(value).__name__
        raise DataError(
            f"has the type {found}, but must be an object", file=origin, row=number, hint='write {"column": value, ...}'
        )


def _depth(line: bytes) -> int:
    depth = _brackets(line)
    # Brackets within strings do not nest; removing them is slow, so it is done only for deep lines.
    return depth if depth <= _DEEPEST else _brackets(_STRING.sub(b"", line))


def _brackets(line: bytes) -> int:
    codes = np.frombuffer(line, np.uint8) & 0xDF  # { and [ differ only in this bit, and so do } and ]
    steps = (codes == ord("[")).astype(np.int8) - (codes == ord("]"))
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def _parse(data: pa.Buffer, block: int) -> pa.Table:
    options = pa.json.ReadOptions(block_size=block)
    return pa.json.read_json(pa.BufferReader(data), options, pa.json.ParseOptions(newlines_in_values=False))


def _conflict(data: pa.Buffer, ends: np.ndarray, block: int, origin: str) -> DataError:
    low, high, reason = 0, len(ends) - 1, ""  # lines[: high + 1] cannot be parsed
    while low < high or not reason:
        middle = (low + high) // 2
        try:
            _parse(data.slice(0, int(ends[middle])), block)
            low = middle + 1
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            high, reason = middle, str(error)
    if changed := _CHANGED.search(reason):
        column, before, here = changed.groups()
        message = f"has the type {here}, but {before} in earlier lines"
        return DataError(message, file=origin, row=high + 1, column=column, hint="use one type in all lines")
    reason = reason.removeprefix("JSON parse error: ").split(" in row ")[0]
    return DataError(f"cannot be read: {reason}", file=origin, row=high + 1)
