"""Numbers whose first digit is a 0, such as 007 and 01730: they are codes, and Arrow reads them as 7 and 1730."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = ["has_leading_zeros"]

_PIECE = 1 << 17  # bytes looked at together: they stay in the cache
_BLANK = ord(" ")  # behind a separator, a blank is no part of a number
_LONGEST = 20  # digits of the largest whole number


def has_leading_zeros(data: pa.Buffer, sign: str, quote: str | None) -> bool:
    """Whether any cell of a text table is a whole number with a 0 before another digit."""
    codes = np.frombuffer(data, np.uint8)
    before, marks = ord(sign), [ord(sign), 10, 13, _BLANK, *([ord(quote)] if quote else [])]
    if bytes(codes[:1]) == b"0" and bytes(codes[1:2]).isdigit() and _whole(codes, np.zeros(1, np.int64), marks):
        return True
    returns = np.flatnonzero(codes[: _PIECE - 1] == 13)
    old_lines = bool((codes[np.minimum(returns + 1, len(codes) - 1)] != 10).any())
    for start in range(0, len(codes), _PIECE):
        piece = codes[max(start - 1, 0) : start + _PIECE + 1]  # a byte of its neighbours on both sides
        zeros = piece[1:-1] == ord("0")
        zeros &= piece[2:] - ord("0") < 10
        left = piece[:-2]
        opens = left == before
        opens |= left == 10
        opens |= left == _BLANK
        if old_lines:
            opens |= left == 13
        if quote:
            opens |= left == ord(quote)
        zeros &= opens
        if zeros.any() and _whole(codes, np.flatnonzero(zeros) + max(start - 1, 0) + 1, marks):
            return True
    return False


def _whole(codes: np.ndarray, places: np.ndarray, marks: list[int]) -> bool:
    """Whether only digits follow one of the zeros at ``places``, up to the end of its cell."""
    last = len(codes) - 1
    for step in range(1, _LONGEST + 1):
        following = codes[np.minimum(places + step, last)]
        ends = np.isin(following, marks) | (places + step > last)
        if ends.any():
            return True
        places = places[following - ord("0") < 10]
        if not len(places):
            return False
    return False
