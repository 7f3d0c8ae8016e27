"""Modules of torch as operators of a graph, as they are without training. Axes: W width."""

from __future__ import annotations

import math

from torch import nn

from unrolled.errors import UsageError
from unrolled.layers.graph import Value

__all__ = ["gelu", "run", "silu"]


def run(module: nn.Module, x: Value) -> Value:
    """What ``module`` makes of ``x`` (…, W).

    Raises:
        UsageError: it is a module that layers of this package do not have.
    """
    g = x.graph
    match module:
        case nn.Linear():
            return g.linear(x, module.weight, module.bias)
        case nn.ReLU():
            return x.apply("Relu")
        case nn.Identity() | nn.Dropout():
            return x
        case nn.Sequential():
            for one in module:
                x = run(one, x)
            return x
        case nn.RMSNorm():
            assert module.eps is not None
            return x / ((x * x).mean(-1) + module.eps).apply("Sqrt") * g.constant(module.weight)
        case nn.LayerNorm():
            off = x - x.mean(-1)
            unit = off / ((off * off).mean(-1) + module.eps).apply("Sqrt")
            return unit * g.constant(module.weight) + g.constant(module.bias)
    raise UsageError(f"a module of the class {type(module).__name__} cannot be exported as a graph")


def silu(x: Value) -> Value:
    """X σ(x)."""
    return x * x.apply("Sigmoid")


def gelu(x: Value) -> Value:
    """X Φ(x), with the distribution function Φ of a Gaussian."""
    return x * ((x * math.sqrt(0.5)).apply("Erf") + 1) * 0.5
