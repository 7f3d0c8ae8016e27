r"""Plain text: each file, or each line, is a document in a column ``text``.

The text is mapped, not loaded: a file of a gigabyte takes no memory. Only ``\n`` and ``\r\n`` (which becomes ``\n``)
end a line; a byte-order mark is dropped.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa

from unrolled.config import Part, option
from unrolled.data.config import DataConfig
from unrolled.data.io.unpacking import contents
from unrolled.data.io.utf8 import one_string, split_lines, to_utf8, unix_lines
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError

__all__ = ["numbered_lines", "read_text", "text_buffer"]

_SUFFIXES = (".txt", ".md", ".log")
_VAGUE = (".txt", ".log")


class Options(Part):
    """The option of text files."""

    rows_are: Literal["files", "lines"] = option(
        "files",
        "Whether each row is a whole text file or one line.",
        also=("documents", "sample_by", "split"),
    )


def read_text(path: Path, config: DataConfig) -> pa.Table:
    """One row with the whole file, or a row for each line if the option ``rows_are`` is ``lines``.

    Raises:
        DataError: the file is missing or empty, or a byte is not in ``config.text_encoding``.
    """
    return _read_buffer(contents(path), str(path), config)


def _read_buffer(buffer: pa.Buffer, origin: str, config: DataConfig) -> pa.Table:
    buffer = _clean(buffer, config.text_encoding, origin)
    return pa.table(
        {"text": split_lines(buffer) if config.of("reader", "text").rows_are == "lines" else one_string(buffer)}
    )


def text_buffer(path: Path, encoding: str) -> pa.Buffer:
    r"""The file as valid UTF-8 with ``\n`` line ends.

    Raises:
        DataError: as in `read_text`.
    """
    return _clean(contents(path), encoding, str(path))


def _clean(buffer: pa.Buffer, encoding: str, origin: str) -> pa.Buffer:
    buffer = unix_lines(to_utf8(buffer, encoding, origin))
    if not buffer.size:
        raise DataError("is empty except for its byte-order mark", file=origin)
    return buffer


def numbered_lines(path: Path, encoding: str, marks: str) -> Iterator[tuple[int, str]]:
    """The lines of a file without blanks around them, with their numbers, but for empty ones and remarks.

    Args:
        path: the file.
        encoding: of its text.
        marks: the characters with which a remark starts.

    Raises:
        DataError: as in `read_text`.
    """
    text = io.TextIOWrapper(pa.BufferReader(text_buffer(path, encoding)), "utf-8", newline="\n")
    lines = ((number, line.strip()) for number, line in enumerate(text, 1))
    return ((number, line) for number, line in lines if line and line[0] not in marks)


MEMBER = Reader(_SUFFIXES, read_text, Options=Options, vague=_VAGUE, whole=read_text, piped=_read_buffer, labelled=True)
