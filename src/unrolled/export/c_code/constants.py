"""Numbers as C: float32, or weights as int8 with a scale for each row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from unrolled.program.instructions import Constant

__all__ = ["NARROWEST", "Storage", "c_number", "quantised"]

_LINE = 116  # columns
_EXACT = 1e-6  # of the largest number: how far float32 may be off
NARROWEST = 2  # numbers of a row of a weight from which int8 saves space


def quantised(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (N, M) as int8, and a scale (N,) float32 for each row: w ≈ q · scale.

    Example:
        >>> q, scale = quantised(np.array([[1.27, -0.5], [0.0, 0.0]]))
        >>> q.tolist(), scale.round(6).tolist()
        ([[127, -50], [0, 0]], [0.0099..., 0.0])
    """
    scale = (np.abs(values).max(1, initial=0) / 127).astype(np.float32)
    q = np.round(values / np.where(scale > 0, scale, 1).astype(np.float64)[:, None])
    return q.clip(-127, 127).astype(np.int8), scale


@dataclass(frozen=True, slots=True)
class Storage:
    """How constants are stored.

    Attributes:
        small: weights that were rounded to int8 are stored so.
    """

    small: bool
    _fits: dict[str, bool] = field(default_factory=dict, init=False, repr=False)

    def is_small(self, constant: Constant) -> bool:
        """Whether a constant is int8 with scales: a weight that was rounded so, of which nothing is lost."""
        if not self.small or not constant.is_weight or constant.values.shape[1] < NARROWEST:
            return False
        if constant.name not in self._fits:
            q, scale = quantised(constant.values)
            off = np.abs(q * scale.astype(np.float64)[:, None] - constant.values).max(initial=0)
            self._fits[constant.name] = bool(off <= _EXACT * np.abs(constant.values).max(initial=0))
        return self._fits[constant.name]

    def value(self, constant: Constant) -> np.ndarray:
        """What a constant holds once it is stored, as float64."""
        if not self.is_small(constant):
            return constant.values.astype(np.float32).astype(np.float64)
        q, scale = quantised(constant.values)
        return q * scale.astype(np.float64)[:, None]

    def bytes_of(self, constant: Constant) -> int:
        """Its bytes."""
        return constant.values.size + 4 * len(constant.values) if self.is_small(constant) else 4 * constant.values.size

    def declared(self, constant: Constant) -> Iterator[str]:
        """Its definition in C, line by line."""
        if not self.is_small(constant):
            yield from _array("float", constant.name, constant.values.shape, map(c_number, constant.values.flat))
            return
        q, scale = quantised(constant.values)
        yield from _array("signed char", constant.name, q.shape, map(str, q.flat))
        yield from _array("float", f"{constant.name}_scale", scale.shape, map(c_number, scale))


def _array(kind: str, name: str, shape: tuple[int, ...], numbers: Iterator[str]) -> Iterator[str]:
    """An array with as many numbers in a line as fit."""
    size = " * ".join(map(str, shape))
    yield f"static const {kind} {name}[{size}] = {{"
    line = "   "
    for number in numbers:
        if len(line) + len(number) + 2 > _LINE:
            yield line
            line = "   "
        line += f" {number},"
    yield line
    yield "};"


def c_number(value: float) -> str:
    """A float32 in C, in as few digits as give the same number.

    >>> c_number(0.1), c_number(1.0), c_number(1e-5), c_number(-3e20)
    ('0.1f', '1.0f', '1e-05f', '-3e+20f')
    """
    return f"{np.float32(value)!s}f"
