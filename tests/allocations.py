"""How much memory of Arrow's a call takes at its peak."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

__all__ = ["peak_of"]

_KEPT: list[pa.MemoryPool] = []  # arrays that they made may outlive the call


def peak_of(call: Callable[[], object]) -> int:
    """The most bytes that ``call`` takes from Arrow's pool at a time."""
    usual = pa.default_memory_pool()
    _KEPT.append(pool := pa.proxy_memory_pool(usual))
    pa.set_memory_pool(pool)
    try:
        call()
    finally:
        pa.set_memory_pool(usual)
    return int(pool.max_memory())
