"""The subjects of the contracts of layers, and comparing two of their answers.

Axes: B rows, T steps, I inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.state import State, flatten
from unrolled.testing.report import require

__all__ = ["Subject", "ends", "everything", "gradients", "rows", "same"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A layer under test: ``y, state = subject.make()(x, lengths, state)``, ``step``, ``initial_state``.

    Attributes:
        name: its name in reports.
        build: builds the layer, with new weights.
        tolerance: how far two computations of the same values may differ, where contracts allow for rounding.
    """

    name: str
    build: Callable[[], Any]
    tolerance: float = 1e-5

    def __str__(self) -> str:
        return self.name

    def make(self, dtype: torch.dtype = torch.float32) -> Any:
        """The layer with the same weights each time, of ``dtype``, in evaluation mode."""
        torch.manual_seed(0)
        model: nn.Module = self.build()
        with torch.no_grad():  # a bias of zeros would hide faults
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.2 * torch.randn(parameter.shape))
        return model.to(dtype).eval()


def rows(model: Any, batch: int, steps: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    """Random input for ``model``, the same each time.

    Args:
        model: has an ``input_size``, I.
        batch: B.
        steps: T.
        seed: random seed.
        dtype: of the result.
    """
    random = torch.Generator().manual_seed(seed)
    return torch.randn(batch, steps, model.input_size, generator=random, dtype=torch.float64).to(dtype)


def everything(y: Tensor, state: State) -> dict[str, Tensor]:
    """Output and final state as one mapping of tensors."""
    return {"y": y, **dict(flatten(state))}


def ends(y: Tensor, state: State, seed: int = 2) -> Tensor:
    """A loss that depends on every output and the whole final state, each number with its own weight."""
    generator = torch.Generator().manual_seed(seed)
    floats = [part for part in everything(y, state).values() if part.is_floating_point() and part.requires_grad]
    return torch.stack([(p * torch.randn(p.shape, generator=generator, dtype=p.dtype)).sum() for p in floats]).sum()


def gradients(loss: Tensor, model: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """∂loss/∂ of each weight and input; zeros where the loss does not depend on it."""
    named = {**dict(model.named_parameters()), **{f"input {k}": x for k, x in enumerate(inputs)}}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True, materialize_grads=True)
    return {f"the gradient of {name}": gradient for name, gradient in zip(named, found, strict=True)}


def same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    """Require ``abs(a - b) ≤ tolerance × max(1, max abs(b))`` tensor by tensor; tolerance 0 means bit for bit.

    An infinity (the maximum over no steps) equals only itself. A part of a state may be longer along axis 1 if it holds
    zeros there: the state of attention is as long as the longest row of the batch needs (see `unrolled.state`).

    Raises:
        Broken: they differ.
    """
    require(found.keys() == expected.keys(), f"found {', '.join(found)}; expected {', '.join(expected)}")
    for name, b in expected.items():
        a, b = found[name].detach(), b.detach()
        if name.startswith("state") and a.dim() > 2 and a.shape[1] != b.shape[1]:
            longest = max(a.shape[1], b.shape[1])
            a, b = (nn.functional.pad(part, (0, 0) * (a.dim() - 2) + (0, longest - part.shape[1])) for part in (a, b))
        require(a.shape == b.shape, f"{name} has shape {tuple(a.shape)}, expected {tuple(b.shape)}")
        if b.numel() == 0:
            continue
        scale = max(1.0, float(b.masked_fill(b.isinf(), 0).abs().max()))
        worst = float((a - b).masked_fill(a == b, 0).abs().max())
        allowed = tolerance * scale
        require(worst <= allowed, f"{name} differs by {worst:.2g}; the limit is {allowed:.2g}")
