"""Large buffers that come back: fresh pages cost more time than the numbers that are written into them.

A buffer lives as long as the tensor that was made on it, on whichever graph that is, and is then kept for the next.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["reused"]

_LARGE = 1 << 20  # bytes: below, the allocator itself keeps what it gets
_MOST = 1 << 29  # bytes that are kept for later
_ALIGNMENT = 64
_kept: list[np.ndarray[Any, Any]] = []  # the latest last; append and pop are atomic, and a race costs one fresh buffer


def reused(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """An uninitialised tensor; large ones stand on memory that an earlier one has left.

    >>> reused((2, 3), torch.float32).shape
    torch.Size([2, 3])
    """
    size = math.prod(shape) * dtype.itemsize
    if size < _LARGE:
        return torch.empty(shape, dtype=dtype)
    buffer = _fitting(size)
    lease = buffer.view()  # torch holds on to it, and it to the buffer
    start = -lease.ctypes.data % _ALIGNMENT
    returned = weakref.finalize(lease, _keep, buffer)
    returned.atexit = False
    return torch.from_numpy(lease)[start : start + size].view(dtype).view(shape)


def _fitting(size: int) -> np.ndarray[Any, Any]:
    """A kept buffer that is not far too large, or a new one."""
    for place in range(len(_kept) - 1, -1, -1):
        try:
            if size + _ALIGNMENT <= len(_kept[place]) <= 2 * size + _LARGE:
                return _kept.pop(place)
        except IndexError:  # another thread was faster
            break
    return np.empty(size + _ALIGNMENT, np.uint8)


def _keep(buffer: np.ndarray[Any, Any]) -> None:
    _kept.append(buffer)
    while sum(len(kept) for kept in _kept) > _MOST:
        _kept.pop(0)
