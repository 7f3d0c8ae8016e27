"""Print cells and layers as the call that makes them."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, signature

from torch import nn

__all__ = ["arguments"]


def arguments(module: nn.Module, values: Mapping[str, object]) -> str:
    """The arguments of the call that makes ``module``, as ``torch.nn`` prints them.

    Arguments without a default are positional. Arguments with a default are named, and left out if they have it.

    Args:
        module: the module to print.
        values: argument of its class -> the value it was made with.

    Example:
        >>> arguments(nn.Linear(3, 4, bias=False), {"in_features": 3, "out_features": 4, "bias": False})
        '3, 4, bias=False'
    """
    shown = []
    for name, parameter in signature(type(module)).parameters.items():
        if name not in values:
            continue
        if parameter.default is Parameter.empty:
            shown.append(repr(values[name]))
        elif values[name] != parameter.default:
            shown.append(f"{name}={values[name]!r}")
    return ", ".join(shown)
