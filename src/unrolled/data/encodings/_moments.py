"""Mean and standard deviation of any number of values, in parts.

The values are taken in blocks of 65,536 in their order, whatever parts they come in, and the moments of the blocks are
put together. So the result is the same to the bit however the values are divided.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

__all__ = ["Moments"]

_BLOCK = 1 << 16
_NOTHING = -2000  # the exponent of zeros: below that of any number


class _Block(NamedTuple):
    """Of ``number`` values: the mean and the variance in units of 2 ** ``exponent``, and its square."""

    number: int
    mean: float
    variance: float
    exponent: int


class Moments:
    """Collects values, and gives their mean and standard deviation.

    Cost: two passes over each block; memory for one block.

    References:
        Chan, Golub, LeVeque 1983, Algorithms for computing the sample variance, https://doi.org/10.2307/2683386

    Example:
        >>> moments = Moments()
        >>> for part in ([1.0, 2.0], [], [6.0]):
        ...     moments.add(np.array(part))
        >>> moments.mean_and_std()
        (3.0, 2.160246899469287)
    """

    def __init__(self) -> None:
        self._waiting: list[np.ndarray] = []
        self._count = 0
        self._whole: _Block | None = None
        self._low, self._high = math.inf, -math.inf

    def add(self, values: np.ndarray) -> None:
        """Add finite values, (N,) float64."""
        if not len(values):
            return
        self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))
        at = 0
        while at < len(values):
            part = values[at : at + _BLOCK - self._count]
            self._waiting.append(part)
            self._count += len(part)
            at += len(part)
            if self._count == _BLOCK:
                self._whole = _together(self._whole, _block(np.concatenate(self._waiting)))
                self._waiting, self._count = [], 0
        self._waiting = [np.array(part) for part in self._waiting]  # the parts may be views of far larger arrays

    def mean_and_std(self) -> tuple[float, float]:
        """Both; the deviation of no value, and of values that are all equal, is 1."""
        if self._low > self._high:
            return 0.0, 1.0
        if self._low == self._high:
            return self._low, 1.0  # for a constant, rounding would give a std near 1e-17 and z near 1
        found = self._whole
        if self._waiting:
            found = _together(found, _block(np.concatenate(self._waiting)))
        assert found is not None
        std = math.ldexp(math.sqrt(found.variance), found.exponent)
        return math.ldexp(found.mean, found.exponent), std if std > 0 else 1.0


def _block(values: np.ndarray) -> _Block:
    largest = float(np.abs(values).max())
    if not largest:
        return _Block(len(values), 0.0, 0.0, _NOTHING)
    # Scaling by a power of two is exact, and keeps the squares of values near 1e300 or 1e-300 in range.
    exponent = math.frexp(largest)[1] - 1
    reduced = values / math.ldexp(1.0, exponent)
    return _Block(len(values), float(reduced.mean()), float(reduced.var()), exponent)


def _together(first: _Block | None, second: _Block) -> _Block:
    """The moments of the values of both."""
    if first is None:
        return second
    exponent = max(first.exponent, second.exponent)
    (n, a, va), (m, b, vb) = (_scaled(block, exponent) for block in (first, second))
    count, apart = n + m, b - a
    variance = (va * n + vb * m) / count + apart * apart * (n / count) * (m / count)
    return _Block(count, a + apart * (m / count), variance, exponent)


def _scaled(block: _Block, exponent: int) -> tuple[int, float, float]:
    shift = block.exponent - exponent
    return block.number, math.ldexp(block.mean, shift), math.ldexp(block.variance, 2 * shift)
