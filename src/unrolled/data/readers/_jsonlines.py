"""JSON Lines: an object on each line, a column for each key.

Arrow parses fast, but a line that is not an object, or is nested ten thousand deep, crashes the process, and its row
numbers restart in every block. So the lines are looked at first, many at a time; where they are not all surely objects,
Python's own parser reads each. Where Arrow fails (a column changes its type), bisection finds the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.json

from unrolled.data.readers._object_lines import DEEPEST, each_is_an_object
from unrolled.errors import DataError, named

__all__ = ["JsonParts", "read_json_lines"]

_AT_ONCE = 1 << 20  # bytes of lines that are looked at together
_LARGEST_BLOCK = 2**31 - 1
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CHANGED = re.compile(r"Column\(/([^/)]*).*changed from (\w+) to (\w+)")


def read_json_lines(data: pa.Buffer, origin: str, texts: Sequence[str] = ()) -> pa.Table:
    """A row for each line of ``data``, which is JSON Lines; blank lines are skipped.

    Objects in cells become columns named ``key.inner``. Texts that look like times are times, but not in ``texts``.

    Raises:
        DataError: a line is not an object, is nested too deep, or does not fit the lines before it.
    """
    ends = _line_ends(np.frombuffer(data, np.uint8))
    if not _has_objects(data, ends, origin):
        raise DataError("has no lines", file=origin)
    block = min(_LARGEST_BLOCK, max(1 << 20, 2 * int(np.diff(ends, prepend=0).max())))
    try:
        return _flat(_parse(data, block, texts))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        _check_lines(data, ends, origin)
        raise _conflict(data, ends, block, origin) from None


@dataclass(frozen=True, slots=True)
class JsonParts:
    """JSON Lines in parts of about ``size`` bytes."""

    data: pa.Buffer
    origin: str
    borders: np.ndarray  # (parts + 1,) int64

    @classmethod
    def of(cls, data: pa.Buffer, origin: str, size: int) -> JsonParts:
        """Cut ``data`` after lines."""
        ends = _line_ends(np.frombuffer(data, np.uint8))
        return cls(data, origin, np.array([0, *(int(ends[last - 1]) for _, last in _blocks(ends, size))]))

    def __len__(self) -> int:
        return len(self.borders) - 1

    def read(self, index: int, texts: Sequence[str] = ()) -> pa.Table:
        start, stop = self.borders[index : index + 2].tolist()
        return read_json_lines(self.data.slice(start, stop - start), self.origin, texts)

    def differ(self, index: int, column: str, kinds: tuple[pa.DataType, pa.DataType]) -> None:
        if not all(pa.types.is_string(kind) or pa.types.is_timestamp(kind) for kind in kinds):
            raise DataError(
                f"has the type {kinds[1]}, but {kinds[0]} in earlier lines", file=self.origin, column=column
            )

    def over(self, data: pa.Buffer) -> JsonParts:
        return replace(self, data=data)

    def whole(self) -> pa.Table:
        return read_json_lines(self.data, self.origin)


def _flat(table: pa.Table) -> pa.Table:
    """The table with the parts of objects in its cells as columns, one level deep."""
    return table.flatten() if any(pa.types.is_struct(field.type) for field in table.schema) else table


def _line_ends(data: np.ndarray) -> np.ndarray:
    """(lines,) int64: where each line ends, after its line feed."""
    parts = range(0, len(data), _AT_ONCE)
    ends = [start + 1 + np.flatnonzero(data[start : start + _AT_ONCE] == ord("\n")) for start in parts]
    found = np.concatenate([np.zeros(0, np.int64), *ends])
    return found if len(data) == (found[-1] if len(found) else 0) else np.append(found, len(data))


def _has_objects(data: pa.Buffer, ends: np.ndarray, origin: str) -> bool:
    """Whether there is an object; raises a `DataError` about the first line that is neither one nor blank."""
    view, found = np.frombuffer(data, np.uint8), False
    for first, last in _blocks(ends):
        start = int(ends[first - 1]) if first else 0
        if each_is_an_object(view[start : ends[last - 1]], ends[first:last] - start):
            found = found or bool((np.diff(ends[first:last], prepend=start) > 1).any())
            continue
        try:
            found = _check_lines(data, ends[:last], origin, first) or found
        except DataError:
            _check_lines(data, ends[:first], origin)  # an earlier line may be wrong where only Arrow would see it
            raise
    return found


def _blocks(ends: np.ndarray, size: int = _AT_ONCE) -> Iterator[tuple[int, int]]:
    """The lines in blocks of at most ``size`` bytes or one line: the first, and the one after the last."""
    first = 0
    while first < len(ends):
        start = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, start + size, side="right")))
        yield first, last
        first = last


def _check_lines(data: pa.Buffer, ends: np.ndarray, origin: str, first: int = 0) -> bool:
    """Whether a line from ``first`` on is not blank; raises a `DataError` if one is not an object."""
    start, found = int(ends[first - 1]) if first else 0, False
    for number, end in enumerate(ends[first:].tolist(), first + 1):
        line = data.slice(start, end - start).to_pybytes()
        start = end
        if line.strip():
            found = True
            _check(line, number, origin)
    return found


def _check(line: bytes, number: int, origin: str) -> None:
    try:
        if _depth(line) > DEEPEST:
            raise DataError(f"is nested more than {DEEPEST} levels deep", file=origin, row=number)
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
    return depth if depth <= DEEPEST else _brackets(_STRING.sub(b"", line))


def _brackets(line: bytes) -> int:
    codes = np.frombuffer(line, np.uint8) & 0xDF  # { and [ differ only in this bit, and so do } and ]
    steps = (codes == ord("[")).astype(np.int8) - (codes == ord("]"))
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def _parse(data: pa.Buffer, block: int, texts: Sequence[str] = ()) -> pa.Table:
    schema = pa.schema([(name, pa.string()) for name in texts])
    parse = pa.json.ParseOptions(newlines_in_values=False, explicit_schema=schema if texts else None)
    return pa.json.read_json(pa.BufferReader(data), pa.json.ReadOptions(block_size=block), parse)


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
