"""Damaged files for readers that lean on native code, in a process of its own with limits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import warm

__all__ = ["survive", "survive_each"]

_PROGRAM = """
import resource, sys
if sys.platform == "linux":
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30,) * 2)
from pathlib import Path
from unrolled.data.readers.reader import READERS
from unrolled.testing.readers import read_or_refused

for reader, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    print(folder, end=" ", flush=True)
    paths = sorted(Path(folder).iterdir())
    read = sum(read_or_refused(READERS.get(reader), path) for path in paths)
    print(read, len(paths) - read)
"""


def survive(reader: str, folder: Path) -> tuple[int, int]:
    """How many files of ``folder`` the reader reads, and how many it refuses in one line that names the file.

    Anything else it may do, dying included, fails.
    """
    return survive_each({folder: reader})[folder]


def survive_each(readers: Mapping[Path, str]) -> dict[Path, tuple[int, int]]:
    """As `survive`, for several folders in one process: folder -> the two numbers. A failure names the folder."""
    words = [word for folder, reader in readers.items() for word in (reader, str(folder))]
    done = warm.run(_PROGRAM, *words)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr[-2000:]
    counts = [tuple(map(int, line.split()[-2:])) for line in done.stdout.splitlines()]
    return {folder: (read, refused) for folder, (read, refused) in zip(readers, counts, strict=True)}
