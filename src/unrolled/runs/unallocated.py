"""Networks of which only the sizes are asked: they take no memory, and none of their numbers is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["unallocated"]


@contextmanager
def unallocated() -> Iterator[None]:
    """What is built within is on the meta device."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Normal numbers are not drawn: on the meta device torch imports its compiler for them, which takes two seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if getattr(func, "__name__", "") == "normal_":
            return args[0] if args else options["tensor"]
        return func(*args, **options)
