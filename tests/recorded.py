"""Run a module under a watcher, and keep what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from unrolled.layers.recurrence.recorder import Recorder
from unrolled.watch import watching

__all__ = ["recorded"]


def recorded(
    module: nn.Module, *given: Any, change: Callable[[str, Tensor], Tensor] | None = None
) -> tuple[Any, dict[str, Tensor]]:
    """``module(*given)``, and what it shows by path."""
    with watching(recorder := Recorder(module, change=change)):
        output = module(*given)
    return output, recorder.values()
