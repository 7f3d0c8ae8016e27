"""Convert bytes in any text encoding to valid UTF-8, without a copy if they are UTF-8 already."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from unrolled.data.io.mapped import CHUNK, Spool
from unrolled.errors import DataError, UsageError, named

__all__ = ["chunks", "is_utf8", "one_string", "split_lines", "strip_bom", "to_utf8", "unix_lines"]

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_utf8(encoding: str) -> bool:
    """Whether ``encoding`` names UTF-8.

    Raises:
        UsageError: Python does not know this text encoding.

    Example:
        >>> is_utf8("UTF8"), is_utf8("latin-1")
        (True, False)
    """
    try:
        "a".encode(encoding)  # refuses codecs of bytes, such as hex
        return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")
    except (LookupError, ValueError):
        raise UsageError(f"unknown text encoding {encoding!r}; try utf-8, latin-1, cp1252 or utf-16") from None


def strip_bom(raw: pa.Buffer, origin: str) -> pa.Buffer:
    """``raw`` without its UTF-8 byte-order marks, as UTF-8 if its mark is that of UTF-16 or UTF-32.

    Raises:
        DataError: ``raw`` has the mark of UTF-16, and is not UTF-16.
    """
    start = bytes(raw[: min(4, raw.size)])
    if start[:2] in _UTF16_MARKS:
        wide = start == codecs.BOM_UTF32_LE
        return to_utf8(raw, "utf-32" if wide else "utf-16", origin)
    while bytes(raw[: min(3, raw.size)]) == codecs.BOM_UTF8:  # some programs add one to a file that has one
        raw = raw.slice(3)
    return raw


def to_utf8(raw: pa.Buffer, encoding: str, origin: str) -> pa.Buffer:
    """Convert ``raw`` from ``encoding`` to valid UTF-8 without a byte-order mark.

    Raises:
        DataError: a byte does not fit ``encoding``; the message names its line and place.
        UsageError: ``encoding`` is unknown.
    """
    if not is_utf8(encoding):
        with Spool() as spool:
            for text in _decoded(raw, encoding, origin):
                spool.write(text.encode("utf-8", "replace"))  # a lone surrogate has no UTF-8
            return strip_bom(spool.buffer(), origin)
    buffer = strip_bom(raw, origin)
    try:
        one_string(buffer).validate(full=True)  # Arrow checks fast,
    except pa.ArrowInvalid:
        for _ in _decoded(raw, "utf-8", origin):  # and Python finds the place
            pass
        raise
    return buffer


def one_string(buffer: pa.Buffer) -> pa.Array:
    """``buffer`` as a large_string array with one row; nothing is copied."""
    offsets = pa.py_buffer(np.array([0, buffer.size], np.int64))
    return pa.LargeStringArray.from_buffers(1, offsets, buffer)


def unix_lines(buffer: pa.Buffer) -> pa.Buffer:
    r"""``buffer`` with every ``\r\n`` as ``\n``; a ``\r`` without ``\n`` is kept."""
    if not any(b"\r" in chunk for chunk in chunks(buffer)):
        return buffer
    held = b""
    with Spool() as spool:
        for chunk in chunks(buffer):
            piece = held + chunk
            held = b"\r" if piece.endswith(b"\r") else b""  # its \n may be the first byte of the next chunk
            spool.write(piece[: len(piece) - len(held)].replace(b"\r\n", b"\n"))
        spool.write(held)
        return spool.buffer()


def split_lines(buffer: pa.Buffer) -> pa.Array:
    r"""A large_string array with a row for each line, empty ones included; only ``\n`` ends a line."""
    ends, start = [], 0
    with Spool() as spool:
        for chunk in chunks(buffer):
            spool.write(chunk.replace(b"\n", b""))
            ends.append(np.flatnonzero(np.frombuffer(chunk, np.uint8) == ord("\n")) + start)
            start += len(chunk)
        text = spool.buffer()
    stops = np.concatenate(ends)
    stops -= np.arange(len(stops))  # earlier line ends are removed
    if bytes(buffer[buffer.size - 1 : buffer.size]) != b"\n":
        stops = np.append(stops, text.size)
    offsets = np.concatenate([[0], stops]).astype(np.int64)
    return pa.LargeStringArray.from_buffers(len(stops), pa.py_buffer(offsets), text)


def chunks(buffer: pa.Buffer) -> Iterator[bytes]:
    """Yield the buffer in pieces of `CHUNK` bytes."""
    view = memoryview(buffer)
    for start in range(0, len(view), CHUNK):
        yield bytes(view[start : start + CHUNK])


def _decoded(raw: pa.Buffer, encoding: str, origin: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line, end = 1, 0
    for chunk in itertools.chain(chunks(raw), [b""]):
        end += len(chunk)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            pending = error.object[: error.start]
            line += pending.count(b"\n")
            place = end - len(error.object) + error.start + 1
            raise DataError(
                f"line {line}, byte {place} of the file, 0x{error.object[error.start]:02x}, is not {encoding}",
                file=origin,
                hint=_hint(encoding),
            ) from None
        except UnicodeError as error:  # utf-16 without its byte-order mark
            raise DataError(f"is not {encoding}: {error}", file=origin, hint=_hint(encoding)) from None
        line += text.count("\n")
        yield text


def _hint(encoding: str) -> str:
    option = named("text_encoding")
    return f"try {option} latin-1, or the encoding of the file" if encoding == "utf-8" else f"set the right {option}"
