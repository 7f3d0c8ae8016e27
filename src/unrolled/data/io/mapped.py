"""Files as Arrow buffers that take no memory of our own: the pages belong to the file, mapped and read when touched.

What has to be rewritten first (unpacked, transcoded, piped in) goes through an unlinked temporary file and is mapped
from there, so that it, too, takes disk instead of memory.

The buffers are Arrow's own and never wrap an object of Python. Arrow's readers hand slices of them to worker threads,
and the last to let go of a wrapped object must hold Python's lock: a worker that waits for it while the interpreter
ends aborts the process.
"""

from __future__ import annotations

import gzip
import os
import stat
import tempfile
import zlib
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO, Self

import pyarrow as pa

from unrolled.errors import DataError
from unrolled.storage.directories import space_errors

__all__ = ["CHUNK", "Spool", "copied", "map_file", "map_stream", "open_regular", "unpack"]

CHUNK = 1 << 20  # bytes that are in memory at a time while a file is rewritten
_UNPACKED_FLOOR = 64 << 20  # a small file may unpack to this much,
_UNPACKED_RATIO = 200  # a larger one to so many times its size: real tables stay below 50, a gzip bomb reaches 1030


class Spool:
    """A temporary file without a name, written once and then mapped; the system frees it, however we end.

    A context manager: afterwards nothing more can be written, and the maps live as long as they are used.
    """

    def __init__(self) -> None:
        with space_errors("temporary file"):
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="unrolled-")  # noqa: SIM115 - closed on exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes | memoryview) -> None:
        """Append; a `SpaceError` if the disk is full."""
        with space_errors("temporary file"):
            self._file.write(data)

    def buffer(self) -> pa.Buffer:
        """All that was written, mapped."""
        with space_errors("temporary file"):
            self._file.flush()
            return _mapped(self._file)


def copied(data: bytes) -> pa.Buffer:
    """``data`` in Arrow's own memory."""
    buffer = pa.allocate_buffer(len(data))
    memoryview(buffer).cast("B")[:] = data  # Arrow calls its bytes signed
    return buffer


def map_file(path: Path) -> pa.Buffer:
    """The bytes of ``path``, mapped (small files are read: a process may hold only some 65 000 maps).

    Raises:
        DataError: it is missing, empty, unreadable, or no regular file.
    """
    with open_regular(path) as file:
        return _mapped(file)


def map_stream(stream: BinaryIO, origin: str) -> pa.Buffer:
    """All of a pipe, spooled and mapped.

    Raises:
        DataError: nothing came.
        SpaceError: the temporary file does not fit on the disk.
    """
    with Spool() as spool:
        while chunk := stream.read(CHUNK):
            spool.write(chunk)
        buffer = spool.buffer()
    if not buffer.size:
        raise DataError("nothing came in", file=origin, hint="pipe a table into it")
    return buffer


def unpack(path: Path) -> pa.Buffer:
    """The contents of a gzip file, unpacked to disk and mapped.

    Raises:
        DataError: it is damaged, cut short or empty, or unpacks to so much that it must be taken for a bomb.
    """
    size = 0
    with Spool() as spool, open_regular(path) as packed:
        limit = max(_UNPACKED_FLOOR, _UNPACKED_RATIO * os.fstat(packed.fileno()).st_size)
        try:
            with gzip.GzipFile(fileobj=packed) as file:
                while chunk := file.read(CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise DataError(
                            f"unpacks to more than {limit >> 20} MiB, the most that is taken of a file of its size",
                            file=str(path),
                            hint="if it is no bomb, unpack it with gunzip first",
                        )
                    spool.write(chunk)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"is not a whole gzip file: {error}", file=str(path)) from None
        if not size:
            raise DataError("is empty", file=str(path))
        return spool.buffer()


def open_regular(path: Path, empty: bool = False) -> BufferedReader:
    """Open a file that is there, is regular and, unless ``empty`` is allowed, is not empty.

    Raises:
        DataError: it is not.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not make us wait
    except FileNotFoundError:
        raise DataError("there is no such file", file=str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"cannot be read: {reason}", file=_printable(path)) from None
    status = os.fstat(descriptor)
    regular = stat.S_ISREG(status.st_mode)
    if not regular or not (status.st_size or empty):
        os.close(descriptor)
        raise DataError("is empty" if regular else "is neither a file nor a folder", file=str(path))
    return os.fdopen(descriptor, "rb")


def _printable(path: Path) -> str:
    return str(path).replace("\0", "\\0")


def _mapped(file: IO[bytes]) -> pa.Buffer:
    if os.fstat(file.fileno()).st_size < CHUNK:
        file.seek(0)
        return copied(file.read())
    with pa.memory_map(f"/dev/fd/{file.fileno()}") as whole:
        # A buffer of the whole file would make the system fetch all its pages now; one of a byte knows the whole.
        return whole.read_buffer(1).parent
