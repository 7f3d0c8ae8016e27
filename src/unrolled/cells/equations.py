"""Equations of cells, as data: read from text, worked out over numbers, and written down as lists for a page.

A tree is a name, a number, or a list: an operator or function, and what it is applied to.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import UsageError

__all__ = ["FUNCTIONS", "Tree", "names_in", "parsed", "worked_out"]

Tree = str | float | list[Any]

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "exp": torch.exp,
    "maximum": torch.maximum,
}
_TWO = {"maximum"}  # functions of two values
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def parsed(equation: str) -> Tree:
    """The tree of an equation.

    Args:
        equation: names, numbers, ``+ - * /``, brackets, and the functions of `FUNCTIONS`.

    Raises:
        UsageError: it has something else in it.

    Example:
        >>> parsed("o * tanh(c)")
        ['*', 'o', ['tanh', 'c']]
    """
    try:
        return _tree(ast.parse(equation, mode="eval").body)
    except (SyntaxError, ValueError):
        functions = ", ".join(FUNCTIONS)
        raise UsageError(
            f"the equation {equation!r} of a cell cannot be read: it may have names, numbers, + - * / and {functions}"
        ) from None


def _tree(node: ast.expr) -> Tree:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SIGNS:
            return [_SIGNS[type(op)], _tree(left), _tree(right)]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            if len(args) == (2 if name in _TWO else 1):
                return [name, *map(_tree, args)]
    raise ValueError


def names_in(tree: Tree) -> list[str]:
    """The names of values in ``tree``, each once, in order.

    >>> names_in(parsed("f * c_before + i * g"))
    ['f', 'c_before', 'i', 'g']
    """
    if isinstance(tree, str):
        return [tree]
    return list(dict.fromkeys(name for part in tree[1:] for name in names_in(part))) if isinstance(tree, list) else []


def worked_out(tree: Tree, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] = FUNCTIONS) -> Any:
    """The value of ``tree``, where ``values`` has every name in it and ``functions`` every function of `FUNCTIONS`.

    >>> worked_out(parsed("(1 - z) * n"), {"z": torch.tensor(0.25), "n": torch.tensor(2.0)})
    tensor(1.5000)
    """
    if isinstance(tree, str):
        return values[tree]
    if not isinstance(tree, list):
        return tree
    name, *parts = tree
    found = [worked_out(part, values, functions) for part in parts]
    return functions[name](*found) if name in functions else _OPERATORS[name](*found)
