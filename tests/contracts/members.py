"""What the contracts run over: every model by name, and each cell alone. A new cell or layer is in without asking."""

from __future__ import annotations

from typing import Any

from configs import model_config
from own_cells import Delayed, Leaky

from unrolled.cells.cell import CELLS
from unrolled.layers.factory import build_layer, model_names
from unrolled.layers.layer import Layer
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.transformer import Transformer
from unrolled.testing.subject import Subject

__all__ = ["CAUSAL", "CELL_NAMES", "INPUTS", "KERNELS", "MEMBERS", "OTHERS", "tolerance"]

INPUTS = 3


def tolerance(layer: Layer) -> float:
    """C1's and C3's: a sum over many steps in one go is rounded otherwise than step by step."""
    return 1e-5 if layer.regroups else 1e-6


def _layer(name: str, layers: int) -> Subject:
    config = model_config(name=name, layers=layers, hidden=5, window=4)
    return Subject(f"{name}-{layers}", lambda: build_layer(config, INPUTS), tolerance(build_layer(config, INPUTS)))


def _variant(name: str, **options: Any) -> Subject:
    return Subject(name, lambda: Transformer(INPUTS, 8, 2, causal=name.startswith("transformer"), **options))


CELL_NAMES = CELLS.names()
KERNELS = {name: getattr(CELLS.get(name)(1, 1), "kernel", None) for name in CELL_NAMES}
MEMBERS = [_layer(name, layers) for name in model_names() for layers in (1, 2)]
MEMBERS += [
    _variant("transformer-short sight", heads=4, kv_heads=2, attention_window=3),
    _variant("transformer-alibi", heads=4, kv_heads=1, attention_window=3, positions="alibi", feedforward="gelu"),
    _variant("transformer-post-norm", positions="learned", norm="layer", norm_first=False),
    _variant("bitransformer-alibi", heads=2, positions="alibi", norm="layer"),
]
MEMBERS += [
    Subject("own cell", lambda: Recurrent(INPUTS, 5, Leaky, 2), 1e-6),
    Subject("own cell, both directions", lambda: Recurrent(INPUTS, 5, Delayed, 2, bidirectional=True), 1e-6),
    Subject("mixed cells", lambda: Recurrent(INPUTS, 5, [Delayed(INPUTS, 4), "lstm", Leaky, "mingru"]), 1e-6),
]
CAUSAL = [member for member in MEMBERS if member.build().causal]
OTHERS = [member for member in MEMBERS if member not in CAUSAL]
