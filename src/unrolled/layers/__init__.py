"""Time: everything that turns a sequence of vectors into a sequence of vectors, or into one.

Here are torch.nn's recurrent layers, to the letter and right under padding: ``from unrolled.layers import LSTM``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.layers.torch_compat import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN"]


def __getattr__(name: str) -> Any:
    # PEP 562: the names of the layers are listed without torch; the first class asked for brings it.
    if name in __all__:
        return getattr(importlib.import_module("unrolled.layers.torch_compat"), name)
    raise AttributeError(f"module 'unrolled.layers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
