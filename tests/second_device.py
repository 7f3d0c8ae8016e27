"""A device that every machine has: its tensors say ``cuda``, are computed on the CPU, and do not mix with the CPU's.

A GPU refuses an operation on tensors of two devices and shares no memory with NumPy. So does this one, which finds what
would fail there. What torch itself compiles for a GPU is not tested by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["second_device"]

_DEVICE = torch.device("cuda", 0)
_TYPES = ("cuda", "meta")  # for torch's own code these are tensors without numbers
_CROSSING = ("_to_copy", "copy_")  # what reads of one device and writes to the other
_INDEXED = ("index", "index_put_", "_index_put_impl_")  # a GPU takes indices that lie on the CPU
_RESHAPING = ("transpose_", "t_", "squeeze_", "unsqueeze_")


class _Far(Tensor):
    """A tensor of the second device, around one of the CPU."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> _Far:
        like = {"dtype": near.dtype, "strides": near.stride(), "storage_offset": near.storage_offset()}
        far: _Far = torch.Tensor._make_wrapper_subclass(cls, near.size(), device="meta", **like)
        far.near = near
        return far

    device = property(lambda self: _DEVICE)  # type: ignore[assignment]
    is_meta = property(lambda self: False)  # type: ignore[assignment]

    def __repr__(self) -> str:  # type: ignore[override]
        return f"far {self.near!r}"

    def new_tensor(self, data: Any, *, dtype: torch.dtype | None = None) -> Tensor:  # type: ignore[override]
        return torch.tensor(data, dtype=dtype or self.dtype, device=_DEVICE)

    def tolist(self) -> Any:
        return self.near.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("NumPy cannot read what lies on the second device")

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, asked = func.overloadpacket.__name__, kwargs.get("device")
    tensors = [part for part in tree_leaves((args, kwargs)) if isinstance(part, Tensor)]
    far = {id(part.near): part for part in tensors if isinstance(part, _Far)}
    checked = [] if name in _CROSSING else tensors[:1] if name in _INDEXED else tensors
    if far and any(part.dim() and not isinstance(part, _Far) for part in checked):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device")
    to_far = bool(far) if asked is None else torch.device(asked).type in _TYPES
    if name == "copy_":
        to_far = isinstance(args[0], _Far)
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    near_args, near_kwargs = tree_map(lambda part: part.near if isinstance(part, _Far) else part, (args, kwargs))
    out = func(*near_args, **near_kwargs)
    if name in _RESHAPING:
        with torch._C._DisableTorchDispatch():
            func(*args, **kwargs)
    if not to_far:
        return out.clone() if far and name == "_to_copy" else out
    return tree_map(lambda part: far.get(id(part), _Far(part)) if isinstance(part, Tensor) else part, out)


@contextmanager
def second_device() -> Iterator[str]:
    """Inside this block tensors can be sent to the device of the name that it gives."""
    made = torch.tensor

    def tensor(data: Any, *, dtype: torch.dtype | None = None, device: Any = "cpu") -> Tensor:
        return made(data, dtype=dtype).to(device)

    with pytest.MonkeyPatch.context() as patch, _Mode():
        patch.setattr(torch, "tensor", tensor)  # which would go round the mode
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        yield str(_DEVICE)
