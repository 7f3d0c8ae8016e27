"""Random numbers that are a pure function of their keys, so that they can be drawn anywhere, in any order, again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["hashed", "mixed"]


def hashed(*keys: np.ndarray) -> npt.NDArray[np.uint64]:
    """Whole numbers in [0, 2^64), all equally likely: a pure function of the ``keys``, which broadcast.

    References:
        Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators, https://doi.org/10.1145/2714064.2660195
    """
    state = np.zeros(1, np.uint64)
    for key in keys:
        state = mixed(state ^ key.astype(np.uint64))
    return state


def mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The next number of splitmix64 after the state ``x``; arrays of uint64 wrap silently."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
