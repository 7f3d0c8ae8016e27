"""Layers: they turn a sequence of vectors into another sequence of vectors, or into one vector.

The public ones are torch.nn's recurrent layers with the same interface and correct padding; `Recurrent`, which runs any
cell, by name (``Recurrent(8, 16, cell="mingru")``) or your own; and attention, transformers, `DeltaNet` and `TCN`. All
give the same outputs over whole rows, in chunks, and step by step: ``from unrolled.layers import LSTM, Transformer``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.kernels.scratch import release_memory
    from unrolled.layers.attention.attention import Attention
    from unrolled.layers.attention.multihead import CrossAttention, SelfAttention
    from unrolled.layers.chain import Chain
    from unrolled.layers.conversion import from_torch, to_torch
    from unrolled.layers.deltanet import DeltaNet
    from unrolled.layers.keras import from_keras
    from unrolled.layers.layer import Layer
    from unrolled.layers.recurrence.layer_session import push_together
    from unrolled.layers.recurrence.unroll import unroll
    from unrolled.layers.recurrent import Recurrent
    from unrolled.layers.tcn import TCN
    from unrolled.layers.torch_compat import GRU, LSTM, RNN
    from unrolled.layers.transformer import Transformer

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "TCN",
    "Attention",
    "Chain",
    "CrossAttention",
    "DeltaNet",
    "Layer",
    "Recurrent",
    "SelfAttention",
    "Transformer",
    "from_keras",
    "from_torch",
    "push_together",
    "release_memory",
    "to_torch",
    "unroll",
]

_HOMES = {
    "Attention": "layers.attention.attention",
    "Chain": "layers.chain",
    "CrossAttention": "layers.attention.multihead",
    "DeltaNet": "layers.deltanet",
    "GRU": "layers.torch_compat",
    "LSTM": "layers.torch_compat",
    "Layer": "layers.layer",
    "RNN": "layers.torch_compat",
    "Recurrent": "layers.recurrent",
    "SelfAttention": "layers.attention.multihead",
    "TCN": "layers.tcn",
    "Transformer": "layers.transformer",
    "from_keras": "layers.keras",
    "from_torch": "layers.conversion",
    "push_together": "layers.recurrence.layer_session",
    "release_memory": "kernels.scratch",
    "to_torch": "layers.conversion",
    "unroll": "layers.recurrence.unroll",
}


def __getattr__(name: str) -> Any:
    # PEP 562: importing this package does not import torch; the first use of a class does.
    if name in _HOMES:
        return getattr(importlib.import_module(f"unrolled.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'unrolled.layers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
