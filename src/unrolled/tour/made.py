"""Rows that are made up, so that what there is to learn is known: a symbol to remember, and digits to reverse."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["KEYS", "NOISE", "Rows", "first_symbols", "reversed_digits"]

Rows = dict[str, list[Any]]  # a table in memory: column -> a cell of each row

KEYS, NOISE = tuple("ABCD"), tuple("uvwxyz")


def first_symbols(count: int, shortest: int, longest: int, seed: int) -> Rows:
    """Rows of a key and then noise that means nothing; the answer is the key.

    A model that forgets is right in a quarter of the rows.

    Args:
        count: how many rows.
        shortest, longest: steps of a row, ≥ 1.
        seed: which rows.

    Example:
        >>> first_symbols(1, 4, 4, seed=0)
        {'symbols': [['B', 'y', 'w', 'z']], 'first': ['B']}
    """
    random = np.random.default_rng([seed, shortest, longest])
    lengths, keys = random.integers(shortest, longest + 1, count), random.integers(0, len(KEYS), count)
    rows = [
        [KEYS[key], *(NOISE[one] for one in random.integers(0, len(NOISE), length - 1))]
        for key, length in zip(keys, lengths, strict=True)
    ]
    return {"symbols": rows, "first": [KEYS[key] for key in keys]}


def reversed_digits(count: int, shortest: int, longest: int, seed: int) -> Rows:
    """Rows of digits; the answer is the same digits from the last to the first.

    Args:
        count, shortest, longest, seed: as for `first_symbols`.

    Example:
        >>> reversed_digits(1, 3, 3, seed=0)
        {'digits': [['7', '0', '9']], 'reversed': [['9', '0', '7']]}
    """
    random = np.random.default_rng([seed, shortest, longest])
    rows = [
        [str(digit) for digit in random.integers(0, 10, length)]
        for length in random.integers(shortest, longest + 1, count)
    ]
    return {"digits": rows, "reversed": [row[::-1] for row in rows]}
