"""Reads mutations of small files of vectors, in a process of its own whose memory and time are limited.

python mutations.py FOLDER COUNT
"""

from __future__ import annotations

import random
import resource
import sys
from pathlib import Path

import numpy as np

from unrolled.data.vectors.reading import blocks, open_vectors
from unrolled.data.vectors.writing import write_vectors
from unrolled.errors import DataError

PIECES = [b"\n", b" ", b"\0", b"\xff", b"nan", b"1e99", b"-", b"999999999999 ", b"3 3\n", b"\x80", b"word ", b"\xc3"]


def mutated(data: bytes, dice: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(found) + 1)
        match dice.randrange(5):
            case 0:
                found[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                found[at:at] = dice.choice(PIECES)
            case 2:
                del found[at : at + dice.randint(1, 30)]
            case 3:
                del found[at:]
            case 4:
                found[at:at] = found[dice.randrange(len(found) + 1) :][: dice.randint(1, 60)]
    return bytes(found)


def main() -> None:
    folder, count, dice = Path(sys.argv[1]), int(sys.argv[2]), random.Random(5)
    values = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    words = ["the", "cat", "café", "日本", "x1", ",", "a-b", "König", "zz"]
    sources = []
    for ending in ("txt", "bin", "safetensors"):
        path = folder / f"good.{ending}"
        write_vectors(path, words, 4, lambda: [values])
        sources.append((ending, path.read_bytes()))
    sources.append(("glove", sources[0][1].split(b"\n", 1)[1]))
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))
    read = refused = 0
    for number in range(count):
        ending, data = sources[number % len(sources)]
        path = folder / f"bad.{ending}"
        path.write_bytes(mutated(data, dice))
        try:
            for some, vectors in blocks(open_vectors(path)):
                assert len(some) == len(vectors) > 0
                assert np.isfinite(vectors).all()
                assert all(some)
            read += 1
        except DataError as error:
            assert str(error).startswith(str(path)), error
            assert "\n" not in str(error), error
            refused += 1
    print(read, refused)


if __name__ == "__main__":
    main()
