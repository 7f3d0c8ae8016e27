"""The names that a user may choose from, found by listing folders: a help text must not wait for torch."""

from __future__ import annotations

from unrolled.layers.build import model_names
from unrolled.registry import Registry

__all__ = ["kind_names", "model_names", "task_names"]


def task_names() -> list[str]:
    """What ``--task`` may be.

    >>> "classify" in task_names()
    True
    """
    return Registry("task").names()


def kind_names() -> list[str]:
    """What a column may be, for ``--kinds column=…``.

    >>> "category" in kind_names()
    True
    """
    return Registry("encoding").names()
