"""Damaged files for readers that lean on native code, in a process of its own with limits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["survive"]

_PROGRAM = """
import resource, sys
if sys.platform == "linux":
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30,) * 2)
from pathlib import Path
from unrolled.data.readers.reader import READERS
from unrolled.testing.readers import read_or_refused

paths = sorted(Path(sys.argv[2]).iterdir())
read = sum(read_or_refused(READERS.get(sys.argv[1]), path) for path in paths)
print(read, len(paths) - read)
"""


def survive(reader: str, folder: Path) -> tuple[int, int]:
    """How many files of ``folder`` the reader reads, and how many it refuses in one line that names the file.

    Anything else it may do, dying included, fails.
    """
    command = [sys.executable, "-c", _PROGRAM, reader, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = map(int, done.stdout.split())
    return read, refused
