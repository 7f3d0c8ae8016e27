"""Column files: one token and its labels on each line, an empty line between sentences (CoNLL, IOB, CoNLL-U).

Fields are separated by tabs if the first token's line has one, otherwise by blanks. A line of only blanks counts as
empty: the shared task W-NUT 2017 separates its sentences so. ``#`` starts a remark only before a sentence's first
token, and only if the line has another number of fields than a token: ``#party O`` is a token of a tweet.

References:
    Tjong Kim Sang and De Meulder, 2003, the CoNLL shared task. https://aclanthology.org/W03-0419
    CoNLL-U, https://universaldependencies.org/format.html
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.io.field_marks import ANSWER, GOLD
from unrolled.data.readers._column_parts import UNIVERSAL, Parts, asked_for, like_sentences, parts_of
from unrolled.data.readers._shapes import first_lines
from unrolled.data.readers.reader import Reader
from unrolled.data.readers.text import text_buffer
from unrolled.errors import DataError, UsageError, counted, named

__all__ = ["read_columns"]

_NO_WORD = re.compile(r"[0-9]+[-.][0-9]+")  # CoNLL-U's 3-4 (words written as one) and 8.1 (a word that is not written)
_BLANKS, _BETWEEN = " \t\n", re.compile("[ \t]+")
_DOCUMENT = "-DOCSTART-"
_AT_ONCE = 1 << 16  # tokens held as Python objects at a time
_PROBED = 2000  # tokens that show which column holds the words


def read_columns(path: Path, config: DataConfig) -> pa.Table:
    """A row for each sentence, with list columns ``words``, ``column2`` … and, for the last one, ``tags``.

    A file with one column has only ``words``; a first column that numbers the words of each sentence is ``index``, and
    a column of tags before the words is ``tags``. Files of ten columns in the manner of CoNLL-U have the names of that
    format, with ``words`` for its forms. ``config.header`` gives other names.

    All columns but the words are marked as annotations, which are inputs only if the user chooses them, and the one
    that the file asks for as the answer.

    Raises:
        DataError: the file is missing or empty, is not in ``config.text_encoding``, has no tokens, or a line has an
            empty field or another number of fields than the first token.
        UsageError: ``config.header`` has another number of names than a line has fields.
    """
    origin = str(path)
    lines = _Lines(text_buffer(path, config.text_encoding), origin)
    universal = path.name.lower().endswith(".conllu")
    if universal and lines.width != len(UNIVERSAL):
        raise DataError(
            f"line {lines.first} has {counted(lines.width, 'field')}, but CoNLL-U has 10, separated by tabs",
            file=origin,
        )
    tokens = lines.tokens()
    head = list(islice(tokens, _PROBED))
    parts = parts_of(_sentences(head), universal)
    if config.header and len(config.header) != lines.width:
        raise UsageError(
            f"{named('header')} gives {counted(len(config.header), 'name')}, but a line of {origin} has "
            f"{counted(lines.width, 'field')}"
        )
    pieces: list[list[pa.Array]] = [[pa.array([], pa.large_string())] for _ in parts.names]
    held: list[list[str]] = []
    offsets = [0]
    count = 0
    for fields in chain(head, tokens):
        if fields is None:
            if count > offsets[-1]:
                offsets.append(count)
        elif parts.index is None or not _NO_WORD.fullmatch(fields[parts.index]):
            held.append(fields)
            count += 1
            if len(held) == _AT_ONCE:
                _flush(held, pieces)
    _flush(held, pieces)
    columns = [pa.concat_arrays(piece) for piece in pieces]
    cut = pa.array(np.array(offsets), pa.int64())
    cells = [pa.LargeListArray.from_arrays(cut, column) for column in columns]
    names = config.header or parts.names
    marks = _marks(columns, parts)
    fields_ = [pa.field(name, pa.large_list(pa.large_string()), metadata=marks[at]) for at, name in enumerate(names)]
    return pa.table(cells, schema=pa.schema(fields_))


def _sentences(head: list[list[str] | None]) -> list[list[list[str]]]:
    """The tokens of ``head``, in which ``None`` ends a sentence."""
    found: list[list[list[str]]] = [[]]
    for fields in head:
        if fields is not None:
            found[-1].append(fields)
        elif found[-1]:
            found.append([])
    return [sentence for sentence in found if sentence]


def _marks(columns: list[pa.Array], parts: Parts) -> list[dict[bytes, bytes]]:
    marks: list[dict[bytes, bytes]] = [{GOLD: b"of the words"} for _ in columns]
    marks[parts.words] = {b"kind": b"tokens"}
    if parts.index is not None:
        marks[parts.index] = {b"aside": b"numbers the words of a sentence"}
    if (asked := asked_for(columns, parts)) is not None:
        at, why = asked
        marks[at] |= {ANSWER: why.encode()}
    return marks


class _Lines:
    """The lines of a file, with the separator and the number of fields of its first token."""

    def __init__(self, text: pa.Buffer, origin: str) -> None:
        self._text, self._origin = text, origin
        plain = ((n, line) for n, line in self._numbered() if not line.isspace() and not _may_be_remark(line))
        self.first, line = next(plain, (0, ""))
        if not self.first:
            raise DataError("has no tokens", file=origin, hint="write one on each line, followed by its label")
        self._separator = "\t" if "\t" in line else None
        self.width = len(self._fields(line))

    def tokens(self) -> Iterator[list[str] | None]:
        """The fields of each token; ``None`` at the end of each sentence, perhaps several times."""
        inside = False
        for number, line in self._numbered():
            fields = self._fields(line)
            if line.isspace() or fields[0] == _DOCUMENT:
                inside = False
                yield None
            elif inside or not line.startswith("#") or len(fields) == self.width:
                inside = True
                yield self._checked(fields, number)
        yield None

    def _numbered(self) -> Iterator[tuple[int, str]]:
        return enumerate(io.TextIOWrapper(pa.BufferReader(self._text), "utf-8", newline="\n"), 1)

    def _fields(self, line: str) -> list[str]:
        # Only these blanks separate fields: a no-break space may be part of a token, or be one.
        if self._separator:
            return [field.strip(_BLANKS) for field in line.split(self._separator)]
        return _BETWEEN.split(line.strip(_BLANKS))

    def _checked(self, fields: list[str], number: int) -> list[str]:
        if len(fields) != self.width:
            raise DataError(
                f"line {number} has {counted(len(fields), 'field')}, but line {self.first} has {self.width}",
                file=self._origin,
                hint=f"separate fields by {'tabs' if self._separator else 'blanks'}, sentences by empty lines",
            )
        if not all(fields):
            empty = fields.index("") + 1
            hint = "write O for a word outside of all entities, and _ for another label that is unknown"
            raise DataError(
                f"line {number}: field {empty} is empty", file=self._origin, hint=hint if empty > 1 else None
            )
        return fields


def _may_be_remark(line: str) -> bool:
    """True for a line that may be a remark instead of a token, so that it cannot set the number of fields."""
    return line.startswith(("#", _DOCUMENT))


def _flush(held: list[list[str]], pieces: list[list[pa.Array]]) -> None:
    if held:
        for piece, column in zip(pieces, zip(*held, strict=True), strict=True):
            piece.append(pa.array(column, pa.large_string()))
        held.clear()


MEMBER = Reader(
    (".conll", ".conllu", ".iob", ".iob2", ".bio", ".annotated"),  # the last is W-NUT's
    read_columns,
    recognises=lambda beginning: like_sentences(first_lines(beginning)),
    headed=True,
)
