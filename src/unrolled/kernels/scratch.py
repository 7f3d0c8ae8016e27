"""Reuse large buffers: new memory pages cost more time than writing the numbers into them.

A buffer belongs to a tensor until the tensor is freed; then it is kept for the next one, at most 512 MB in all.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["release_memory", "reused"]

_LARGE = 1 << 20  # bytes: the allocator itself reuses smaller buffers
_MOST = 1 << 29  # most bytes kept for later
_ALIGNMENT = 64
_kept: list[np.ndarray[Any, Any]] = []  # the latest last; append and pop are atomic, and a race costs one fresh buffer


def reused(shape: tuple[int, ...], dtype: torch.dtype, time_major: bool = False) -> Tensor:
    """An uninitialised tensor; a large one reuses the memory of an earlier tensor if possible.

    It is not a view of another tensor, so that a caller may overwrite it although torch tracks its gradient.

    Args:
        shape: its shape.
        dtype: its dtype.
        time_major: axis 1 of the three is the outermost in memory.

    Example:
        >>> reused((2, 3), torch.float32).shape, reused((4, 5, 2), torch.float32, time_major=True).stride()
        (torch.Size([2, 3]), (2, 8, 1))
    """
    size = math.prod(shape) * dtype.itemsize
    if size < _LARGE and not time_major:
        return torch.empty(shape, dtype=dtype)
    strides = _time_major(shape) if time_major else [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    if size < _LARGE:
        return torch.empty_strided(shape, strides, dtype=dtype)
    buffer = _fitting(size)
    lease = buffer.view()  # the tensor keeps the view alive, and the view the buffer
    start = -lease.ctypes.data % _ALIGNMENT
    returned = weakref.finalize(lease, _keep, buffer)
    returned.atexit = False
    storage = torch.from_numpy(lease).untyped_storage()
    return torch.empty(0, dtype=dtype).set_(storage, start // dtype.itemsize, shape, strides)


def _time_major(shape: tuple[int, ...]) -> tuple[int, int, int]:
    rows, _, width = shape
    return width, rows * width, 1


def release_memory() -> int:
    """Give the memory that the kernels keep for their next calls back to the system; return its size in bytes.

    Up to 512 MB stay after training with torch's own loop; `unrolled.fit` calls this itself. The next large call
    allocates anew. Any thread may call it at any time: tensors in use keep their memory.

    Example:
        >>> release_memory() >= 0, release_memory()
        (True, 0)
    """
    given = 0
    while _kept:
        try:
            given += len(_kept.pop())
        except IndexError:  # another thread took the last one
            break
    return given


def _fitting(size: int) -> np.ndarray[Any, Any]:
    """A kept buffer of about the right size, or a new one."""
    for place in range(len(_kept) - 1, -1, -1):
        try:
            if size + _ALIGNMENT <= len(_kept[place]) <= 2 * size + _LARGE:
                return _kept.pop(place)
        except IndexError:  # another thread took it
            break
    return np.empty(size + _ALIGNMENT, np.uint8)


def _keep(buffer: np.ndarray[Any, Any]) -> None:
    _kept.append(buffer)
    while sum(len(kept) for kept in _kept) > _MOST:
        _kept.pop(0)
