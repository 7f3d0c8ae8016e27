"""Memory-mapped files as Arrow buffers: pages are read when they are touched and take no memory of the process.

Data that has to be rewritten first (unpacked, transcoded, piped in) goes through an unlinked temporary file and is
mapped from there, so that it takes disk instead of memory too.

The buffers are Arrow's own and never wrap a Python object. Arrow's readers pass slices to worker threads, and the
thread that releases a wrapped object last needs Python's lock: a worker that waits for it while the interpreter exits
aborts the process.
"""

from __future__ import annotations

import os
import stat
import tempfile
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO, Self

import pyarrow as pa

from unrolled.errors import DataError
from unrolled.storage.directories import space_errors

__all__ = ["CHUNK", "Spool", "copied", "free_memory", "map_file", "map_stream", "open_regular"]

CHUNK = 1 << 20  # bytes that are in memory at a time while a file is rewritten


def free_memory() -> int | None:
    """The bytes that programs may still take, with mapped pages that can be given up; ``None`` if it is not known."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


class Spool:
    """A temporary file without a name, written once and then mapped; the system frees it however the process ends.

    It is a context manager: nothing can be written after it exits, but its maps stay valid while they are used.
    """

    def __init__(self) -> None:
        with space_errors("temporary file"):
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="unrolled-")  # noqa: SIM115 - closed on exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``; raises a `SpaceError` if the disk is full."""
        with space_errors("temporary file"):
            self._file.write(data)

    def sink(self) -> pa.NativeFile:
        """Arrow's own file on this one, for what Arrow writes; it is closed before `buffer` is called."""
        return pa.OSFile(f"/dev/fd/{self._file.fileno()}", "wb")

    def buffer(self) -> pa.Buffer:
        """Everything that was written, mapped."""
        with space_errors("temporary file"):
            self._file.flush()
            return _mapped(self._file)


def copied(data: bytes) -> pa.Buffer:
    """Copy ``data`` to Arrow's own memory."""
    buffer = pa.allocate_buffer(len(data))
    memoryview(buffer).cast("B")[:] = data  # Arrow calls its bytes signed
    return buffer


def map_file(path: Path) -> pa.Buffer:
    """The bytes of ``path``, mapped (small files are read: a process may hold only about 65,000 maps).

    Raises:
        DataError: the file is missing, empty, unreadable, or not a regular file.
    """
    with open_regular(path) as file:
        return _mapped(file)


def map_stream(stream: BinaryIO, origin: str) -> pa.Buffer:
    """All of a pipe, spooled and mapped.

    Raises:
        DataError: the pipe is empty.
        SpaceError: the temporary file does not fit on the disk.
    """
    with Spool() as spool:
        while chunk := stream.read(CHUNK):
            spool.write(chunk)
        buffer = spool.buffer()
    if not buffer.size:
        raise DataError("is empty", file=origin, hint="pipe data into it")
    return buffer


def open_regular(path: Path, empty: bool = False) -> BufferedReader:
    """Open a regular file, which must not be empty unless ``empty`` is True.

    Raises:
        DataError: the file is missing, unreadable, not regular, or empty.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # do not wait at a named pipe
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
        # Reading the whole file would fetch all its pages now; a buffer of one byte has the whole file as its parent.
        return whole.read_buffer(1).parent
