"""Time: everything that turns a sequence of vectors into a sequence of vectors, or into one.

Here are torch.nn's recurrent layers, to the letter and right under padding, and attention and transformers whose chunks
and steps agree with the whole: ``from unrolled.layers import LSTM, Transformer``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.layers.attention.attention import Attention
    from unrolled.layers.attention.multihead import CrossAttention, SelfAttention
    from unrolled.layers.layer import Layer
    from unrolled.layers.torch_compat import GRU, LSTM, RNN
    from unrolled.layers.transformer import Transformer

__all__ = ["GRU", "LSTM", "RNN", "Attention", "CrossAttention", "Layer", "SelfAttention", "Transformer"]

_HOMES = {
    "Attention": "attention",
    "CrossAttention": "multihead",
    "GRU": "torch_compat",
    "LSTM": "torch_compat",
    "Layer": "layer",
    "RNN": "torch_compat",
    "SelfAttention": "multihead",
    "Transformer": "transformer",
}


def __getattr__(name: str) -> Any:
    # PEP 562: the names of the layers are listed without torch; the first class asked for brings it.
    if name in _HOMES:
        return getattr(importlib.import_module(f"unrolled.layers.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'unrolled.layers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
