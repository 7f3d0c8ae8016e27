"""What the contracts run over: every model by name, and each cell alone. A new cell or layer is in without asking.

Axes: B rows, T steps, I = `INPUTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from own_cells import Delayed, Leaky
from torch import Tensor, nn

from unrolled.cells.cell import CELLS
from unrolled.config import ModelConfig
from unrolled.layers.build import build_layer, model_names
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.transformer import Transformer
from unrolled.state import State, flatten

__all__ = [
    "CAUSAL",
    "CELL_NAMES",
    "INPUTS",
    "MEMBERS",
    "Member",
    "ends",
    "everything",
    "gradients",
    "rows",
    "same",
    "tolerance",
]

INPUTS = 3


def tolerance(model: str) -> float:
    """C1's and C3's: a sum over many steps in one go is rounded otherwise than step by step, so attention has more."""
    return 1e-5 if model.endswith("transformer") else 1e-6


class Member(NamedTuple):
    """A name, and what makes the model: ``y, state = build()(x, lengths, state)``, ``step``, ``initial_state``.

    Whatever has this form, a whole network behind an adapter too, may be appended to `MEMBERS`.
    """

    name: str
    build: Callable[[], Any]

    def __str__(self) -> str:
        return self.name

    @property
    def tolerance(self) -> float:
        """How far apart two ways of one computation may be."""
        return tolerance(self.name.partition("-")[0])

    def make(self, dtype: torch.dtype = torch.float32) -> Any:
        """The same weights each time, of ``dtype``, ready to answer."""
        torch.manual_seed(0)
        model = self.build()
        assert isinstance(model, nn.Module)
        return _livened(model).to(dtype).eval()


def _layer(name: str, layers: int) -> Member:
    config = ModelConfig(name=name, layers=layers, hidden=5, window=4)
    return Member(f"{name}-{layers}", lambda: build_layer(config, INPUTS))


def _variant(name: str, **options: Any) -> Member:
    return Member(name, lambda: Transformer(INPUTS, 8, 2, causal=name.startswith("transformer"), **options))


def _livened(model: nn.Module) -> nn.Module:
    """No bias at zero: what is all zeros proves nothing."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn(parameter.shape))
    return model


CELL_NAMES = CELLS.names()
MEMBERS = [_layer(name, layers) for name in model_names() for layers in (1, 2)]
MEMBERS += [
    _variant("transformer-short sight", heads=4, kv_heads=2, sight=3),
    _variant("transformer-alibi", heads=4, kv_heads=1, sight=3, positions="alibi", feedforward="gelu"),
    _variant("transformer-post-norm", positions="learned", norm="layer", norm_first=False),
    _variant("bitransformer-alibi", heads=2, positions="alibi", norm="layer"),
]
MEMBERS += [
    Member("own cell", lambda: Recurrent(INPUTS, 5, Leaky, 2)),
    Member("own cell, both directions", lambda: Recurrent(INPUTS, 5, Delayed, 2, bidirectional=True)),
    Member("mixed cells", lambda: Recurrent(INPUTS, 5, [Delayed(INPUTS, 4), "lstm", Leaky, "mingru"])),
]
CAUSAL = [member for member in MEMBERS if member.build().causal]


def rows(batch: int, steps: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, T, I) numbers, the same each time."""
    return torch.randn(batch, steps, INPUTS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(
        dtype
    )


def everything(y: Tensor, state: State) -> dict[str, Tensor]:
    """Output and final state under one roof."""
    return {"y": y, **dict(flatten(state))}


def ends(y: Tensor, state: State, seed: int = 2) -> Tensor:
    """A loss that every real output and the whole final state go into, each with a weight of its own."""
    generator = torch.Generator().manual_seed(seed)
    parts = everything(y, state).values()
    floats = [part for part in parts if part.is_floating_point() and part.requires_grad]
    return torch.stack([(p * torch.randn(p.shape, generator=generator, dtype=p.dtype)).sum() for p in floats]).sum()


def gradients(loss: Tensor, model: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """∂loss/∂ of each weight and input; zeros for what the loss does not reach."""
    named = {**dict(model.named_parameters()), **{f"input {k}": x for k, x in enumerate(inputs)}}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(named, found, strict=True))


def same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Assert ``abs(a - b) ≤ tolerance × max(1, max abs(b))`` part by part; tolerance 0 means to the bit.

    An infinity (the maximum of no steps yet) is equal to itself alone. A part of a state may be longer along axis 1 by
    zeros alone: what attention remembers of a row is as long as the longest row in its company needs (`unrolled.state`).
    """
    assert found.keys() == expected.keys()
    for name, b in expected.items():
        a, b = found[name].detach(), b.detach()
        if name.startswith("state") and a.dim() > 2 and a.shape[1] != b.shape[1]:
            longest = max(a.shape[1], b.shape[1])
            a, b = (nn.functional.pad(part, (0, 0) * (a.dim() - 2) + (0, longest - part.shape[1])) for part in (a, b))
        assert a.shape == b.shape, f"{name}: {tuple(a.shape)} and {tuple(b.shape)}"
        if b.numel() == 0:
            continue
        scale = max(1.0, float(b.masked_fill(b.isinf(), 0).abs().max()))
        worst = float((a - b).masked_fill(a == b, 0).abs().max())
        assert worst <= tolerance * scale, f"{name}: {worst:.2g} apart, {tolerance * scale:.2g} allowed"
