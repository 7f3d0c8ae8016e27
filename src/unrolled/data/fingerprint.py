"""What data was, so that a run that goes on can tell whether it still is: path, size and SHA-256, read in pieces."""

from __future__ import annotations

import hashlib
from pathlib import Path

from unrolled.data.folder import files_in
from unrolled.data.mapped import open_regular
from unrolled.errors import DataError

__all__ = ["fingerprint", "verify"]


def fingerprint(path: Path | str) -> dict[str, str | int]:
    """``path``, ``size`` in bytes and ``sha256`` of a file, or of the names and contents of all files of a folder.

    Raises:
        DataError: it is missing, empty or unreadable.
    """
    path = Path(path)
    if not path.is_dir():
        size, digest = _digest(path)
        return {"path": str(path), "size": size, "sha256": digest}
    total, whole = 0, hashlib.sha256()
    for file in files_in(path):
        size, digest = _digest(file)
        total += size
        whole.update(f"{file.relative_to(path).as_posix()}\0{digest}\n".encode("utf-8", "surrogateescape"))
    return {"path": str(path), "size": total, "sha256": whole.hexdigest()}


def verify(saved: dict[str, str | int], path: Path | str) -> None:
    """Check that ``path`` holds what it held when ``saved`` was taken of it.

    Raises:
        DataError: it holds something else, or is missing.
    """
    now = fingerprint(path)
    hint = "put the old data back, or start a new run"
    if now["size"] != saved["size"]:
        change = f"had {saved['size']} bytes when the run began and has {now['size']}"
        raise DataError(f"the data has changed: it {change}", file=str(path), hint=hint)
    if now["sha256"] != saved["sha256"]:
        change = "has other contents of the same size than when the run began"
        raise DataError(f"the data has changed: it {change}", file=str(path), hint=hint)


def _digest(path: Path) -> tuple[int, str]:
    with open_regular(path, empty=True) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest
