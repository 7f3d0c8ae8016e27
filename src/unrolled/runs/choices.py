"""The names that a user may choose from, found by listing folders, so that a help text need not wait for torch."""

from __future__ import annotations

from unrolled.layers.factory import model_names
from unrolled.registry import Registry

__all__ = ["exporter_names", "kind_names", "model_names", "task_names"]


def task_names() -> list[str]:
    """The names of all tasks.

    >>> "classify" in task_names()
    True
    """
    return Registry("task").names()


def kind_names() -> list[str]:
    """The kinds that a column may have.

    >>> "category" in kind_names()
    True
    """
    return Registry("encoding").names()


def exporter_names() -> list[str]:
    """The forms in which a model may be exported.

    >>> "onnx" in exporter_names()
    True
    """
    return Registry("exporter").names()
