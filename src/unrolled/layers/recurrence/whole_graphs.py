"""Let ``torch.compile`` trace the layers of `torch_compat` without a break in the graph.

Its compiler stops at every instance of torch.nn's RNN, GRU and LSTM, and so at their subclasses, unless
``torch._dynamo.config.allow_rnn`` is set. That would change how it treats everybody's layers, so it is set here only
while the compiler looks at one of ours. Should a later torch lack these names, the graph breaks as it does in torch.nn.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["trace_whole"]

_BUILDER = "torch._dynamo.variables.builder"


def trace_whole(layers: type) -> None:
    """Let the compiler trace instances of ``layers``, now or as soon as somebody imports the compiler.

    Importing it here would cost every program more than a second.
    """
    if _BUILDER in sys.modules:
        _teach(sys.modules[_BUILDER], layers)
    else:
        sys.meta_path.insert(0, _OnImport(layers))


class _OnImport(MetaPathFinder):
    """Teaches the compiler when it is imported; otherwise it finds nothing."""

    def __init__(self, layers: type) -> None:
        self.layers = layers

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of the compiler's module, which also teaches it."""
        if fullname != _BUILDER or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_teach(module: ModuleType) -> None:
                run(module)
                _teach(module, self.layers)

            spec.loader.exec_module = run_and_teach  # type: ignore[method-assign]
        return spec


def _teach(builder: ModuleType, layers: type) -> None:
    config: Any = getattr(builder, "config", None)
    wrap = getattr(getattr(builder, "VariableBuilder", None), "wrap_module", None)
    if wrap is None or not hasattr(config, "allow_rnn"):
        return

    def wrap_module(self: Any, value: Any) -> Any:
        if not isinstance(value, layers):
            return wrap(self, value)
        with config.patch(allow_rnn=True):
            return wrap(self, value)

    builder.VariableBuilder.wrap_module = wrap_module
