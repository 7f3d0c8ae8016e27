"""Damaging files, to test readers."""

from __future__ import annotations

import random

__all__ = ["mutated"]


def mutated(data: bytes, dice: random.Random) -> bytes:
    """``data`` with bits flipped, numbers set to their limits, the end cut off, or a piece inserted."""
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
