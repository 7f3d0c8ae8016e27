"""Equations as C."""

from __future__ import annotations

from collections.abc import Callable

from unrolled.cells.equations import Tree
from unrolled.export.c_code.constants import c_number

__all__ = ["CALLS", "formula", "functions_in"]

CALLS = {"sigmoid": "sigmoid", "tanh": "tanhf", "relu": "relu", "exp": "expf", "maximum": "larger"}
_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2}


def formula(tree: Tree, of: Callable[[str], str], outer: int = 0) -> str:
    """An equation in C.

    Args:
        tree: as `parsed` gives it.
        of: a name -> what C calls it.
        outer: the rank of the operator around it.

    Example:
        >>> from unrolled.cells.equations import parsed
        >>> formula(parsed("(1 - z) * n + z * tanh(h_before)"), lambda name: name)
        '(1.0f - z) * n + z * tanhf(h_before)'
    """
    if isinstance(tree, str):
        return of(tree)
    if not isinstance(tree, list):
        return c_number(tree)
    sign, *parts = tree
    if sign not in _RANKS:
        return f"{CALLS[sign]}({', '.join(formula(part, of) for part in parts)})"
    rank = _RANKS[sign]
    left, right = formula(parts[0], of, rank), formula(parts[1], of, rank + (sign in "-/"))
    text = f"{left} {sign} {right}"
    return f"({text})" if rank < outer else text


def functions_in(tree: Tree) -> set[str]:
    """The functions that an equation calls."""
    if not isinstance(tree, list):
        return set()
    return {tree[0]}.intersection(CALLS).union(*map(functions_in, tree[1:]))
