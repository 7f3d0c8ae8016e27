"""Layers: they turn a sequence of vectors into another sequence of vectors, or into one vector.

The public ones are torch.nn's recurrent layers with the same interface and correct padding, and attention and
transformers that give the same outputs over whole rows, in chunks, and step by step:
``from unrolled.layers import LSTM, Transformer``.
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
    "Attention": "attention.attention",
    "CrossAttention": "attention.multihead",
    "GRU": "torch_compat",
    "LSTM": "torch_compat",
    "Layer": "layer",
    "RNN": "torch_compat",
    "SelfAttention": "attention.multihead",
    "Transformer": "transformer",
}


def __getattr__(name: str) -> Any:
    # PEP 562: importing this package does not import torch; the first use of a class does.
    if name in _HOMES:
        return getattr(importlib.import_module(f"unrolled.layers.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'unrolled.layers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
