"""ARFF, the format of Weka: ``@attribute`` lines name the columns and their types; the rows follow after ``@data``.

    @attribute length numeric
    @attribute kind {rose, 'wild iris'}
    @data
    5.1,rose

``?`` is a missing value, ``%`` starts a remark.

References:
    https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._shapes import first_lines
from unrolled.data.readers.reader import Reader
from unrolled.data.readers.text import numbered_lines
from unrolled.errors import DataError, counted

__all__ = ["read_arff"]

_ATTRIBUTE = re.compile(r"@attribute\s+('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)\s+(.+)", re.IGNORECASE)
_CELL = re.compile(
    r"\s*(?:(?P<quoted>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")|(?P<bare>[^,\t]*?))\s*(?P<end>[,\t]|$)"
)
_NUMERIC = ("numeric", "real", "integer")
_MISSING = "?"


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A column: its name, and its labels, or its type in one word."""

    name: str
    labels: tuple[str, ...] = ()
    form: str = ""


def read_arff(path: Path, config: DataConfig) -> pa.Table:
    """A column for each attribute: numbers, texts, or categories where the header lists the labels.

    Raises:
        DataError: the file is missing, empty or not in ``config.text_encoding``; a line is not what the format says, a
            row has too many or too few cells, a cell is not a number or is not one of the labels; or the data is
            sparse or has tables in its cells, which are not read.
    """
    origin = str(path)
    lines = numbered_lines(path, config.text_encoding, "%")
    attributes = _header(lines, origin)
    rows = [_cells(number, line, len(attributes), origin) for number, line in lines]
    if not rows:
        raise DataError("has no rows after @data", file=origin)
    columns = [
        _column(attribute, cells, origin) for attribute, cells in zip(attributes, zip(*rows, strict=True), strict=True)
    ]
    fields = [
        pa.field(attribute.name, column.type, metadata={"kind": "category"} if attribute.labels else None)
        for attribute, column in zip(attributes, columns, strict=True)
    ]
    return pa.table(columns, schema=pa.schema(fields))


def _header(lines: Iterator[tuple[int, str]], origin: str) -> list[_Attribute]:
    found: list[_Attribute] = []
    for number, line in lines:
        key = line.split()[0].lower()
        if key == "@data":
            break
        if key == "@attribute":
            found.append(_attribute(line, number, origin))
        elif key != "@relation":
            raise DataError(f"line {number} is before @data but is neither @relation nor @attribute", file=origin)
    if not found:
        raise DataError("has no @attribute before @data", file=origin)
    return found


def _attribute(line: str, number: int, origin: str) -> _Attribute:
    match = _ATTRIBUTE.fullmatch(line)
    if match is None:
        raise DataError(f"line {number}: an attribute needs a name and a type", file=origin)
    name, form = _bare(match[1]), match[2].strip()
    if form.startswith("{"):
        labels = tuple(_split(form.strip("{} \t")))
        return _Attribute(name, labels)
    form = form.split()[0].lower()
    if form not in (*_NUMERIC, "string", "date"):
        why = "tables in cells are not read" if form == "relational" else f"{form!r} is not a type of ARFF"
        raise DataError(f"line {number}: {why}", file=origin, column=name)
    return _Attribute(name, (), form)


def _cells(number: int, line: str, width: int, origin: str) -> list[str | None]:
    if line.startswith("{"):
        raise DataError(f"line {number} is sparse, which is not read", file=origin, hint="save the data as CSV")
    cells = [None if cell == _MISSING else cell for cell in _split(line)]
    if len(cells) != width:
        raise DataError(
            f"line {number} has {counted(len(cells), 'cell')}, but there are {width} attributes", file=origin
        )
    return cells


def _split(line: str) -> list[str]:
    """The cells of a line; either kind of quotes may be around each of them."""
    cells, place = [], 0
    while place <= len(line) and (match := _CELL.match(line, place)):
        cells.append(match["bare"] if match["bare"] is not None else _bare(match["quoted"]))
        place = match.end() if match["end"] else len(line) + 1
    return cells


def _bare(name: str) -> str:
    """A name or cell without the quotes around it, if there are any."""
    if len(name) < 2 or name[0] not in "'\"" or name[-1] != name[0]:
        return name
    return re.sub(r"\\(.)", r"\1", name[1:-1].replace(2 * name[0], name[0]))


def _column(attribute: _Attribute, cells: tuple[str | None, ...], origin: str) -> pa.Array:
    texts = pa.array(cells, pa.string())
    if attribute.labels:
        for row, cell in enumerate(cells, start=1):
            if cell is not None and cell not in attribute.labels:
                known = ", ".join(attribute.labels[:10])
                message = f"{cell[:40]!r} is not one of the labels of the header ({known})"
                raise DataError(message, file=origin, row=row, column=attribute.name)
    if attribute.form in _NUMERIC:
        for form in (pa.int64(), pa.float64()):
            try:
                return texts.cast(form)
            except pa.ArrowInvalid:
                continue
        row, cell = next((row, cell) for row, cell in enumerate(cells, start=1) if not _is_number(cell))
        raise DataError(f"{str(cell)[:40]!r} is not a number", file=origin, row=row, column=attribute.name)
    return texts


def _is_number(cell: str | None) -> bool:
    try:
        pa.scalar(cell, pa.string()).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _recognises(beginning: Beginning) -> int:
    keys = {line.split()[0].lower() for line in first_lines(beginning) if line.startswith("@")}
    tsf = keys & {"@frequency", "@horizon", "@missing", "@equallength"}
    return 100 if {"@relation", "@attribute"} <= keys and not tsf else 0


MEMBER = Reader((".arff",), read_arff, recognises=_recognises, tabular=True)
