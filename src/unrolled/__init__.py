"""Unrolled: deep sequence modelling. Any sequences in; a recurrent or attention model out, proven, and live."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.api import (
        Predictor,
        compare,
        convert_vectors,
        embed,
        fit,
        from_keras,
        from_torch,
        inspect,
        judge_tunes,
        leads,
        load,
        memory,
        plan,
        probe,
        read,
        similar,
        trials,
    )
    from unrolled.registry import register

__all__ = [
    "Predictor",
    "__version__",
    "compare",
    "convert_vectors",
    "embed",
    "fit",
    "from_keras",
    "from_torch",
    "inspect",
    "judge_tunes",
    "leads",
    "load",
    "memory",
    "plan",
    "probe",
    "read",
    "register",
    "similar",
    "trials",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # PEP 562: `import unrolled` must not wait for torch; the first name asked for does.
    if name in __all__:
        home = "registry" if name == "register" else "api"
        return getattr(importlib.import_module(f"unrolled.{home}"), name)
    raise AttributeError(f"module 'unrolled' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
