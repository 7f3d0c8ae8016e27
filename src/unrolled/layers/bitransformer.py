"""The transformer encoder, in which each step sees the whole row: `Transformer` with ``causal=False``."""

from __future__ import annotations

from unrolled.layers.transformer import Transformer

__all__: list[str] = []

MEMBER = Transformer  # its `build` reads the name
