"""Files that are nearly right: what every reader is fuzzed with, in a process of its own with limits."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

__all__ = ["mutated", "survive"]

_PROGRAM = """
import resource, sys
if sys.platform == "linux":
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30,) * 2)
from pathlib import Path
from unrolled.config import DataConfig
from unrolled.data.readers.reader import READERS
from unrolled.errors import DataError

read, refused = 0, 0
for path in sorted(Path(sys.argv[2]).iterdir()):
    try:
        READERS.get(sys.argv[1]).read(path, DataConfig())
        read += 1
    except DataError as error:
        assert str(path) in str(error) and "\\n" not in str(error), error
        refused += 1
print(read, refused)
"""


def mutated(data: bytes, dice: random.Random) -> bytes:
    """``data`` with bits flipped, numbers set to their limits, an end cut off, or a piece put in."""
    found = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        at = dice.randrange(len(found))
        match dice.randrange(4):
            case 0:
                found[at] ^= 1 << dice.randrange(8)
            case 1:
                found[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
            case 2:
                found = found[: max(at, 1)]
            case 3:
                found[at:at] = found[: dice.randrange(1, 40)]
    return bytes(found)


def survive(reader: str, folder: Path) -> tuple[int, int]:
    """How many files of ``folder`` the reader reads, and how many it refuses in one line that names the file.

    Anything else it may do, dying included, fails.
    """
    command = [sys.executable, "-c", _PROGRAM, reader, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = map(int, done.stdout.split())
    return read, refused
