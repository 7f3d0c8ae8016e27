"""The transformer that sees its whole row at once: an encoder. The class is `Transformer`; this is its other name."""

from __future__ import annotations

from unrolled.layers.transformer import Transformer

__all__: list[str] = []

MEMBER = Transformer  # whose `build` asks for the name
