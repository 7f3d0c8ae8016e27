"""Steps exported to C, built by gcc and called from here."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.export.c_code.constants import Storage
from unrolled.export.c_code.header_and_code import Unit, code, count_of, header, sized
from unrolled.export.c_code.step_of import Step
from unrolled.layers.config import ModelConfig
from unrolled.models.network import Network
from unrolled.tasks.task import Task

__all__ = ["STRICT", "Compiled", "network_of", "same"]

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


class Compiled:
    """Steps in a library made of them by one call of gcc."""

    def __init__(self, steps: dict[str, Step], folder: Path, speed: str = "-O2") -> None:
        self._steps, self._storage = steps, Storage(False)
        for name, step in steps.items():
            (folder / f"{name}.h").write_text(header(Unit(name, name, step, self._storage)))
            (folder / f"{name}.c").write_text(code(Unit(name, name, step, self._storage)))
        sources = [f"{name}.c" for name in steps]
        subprocess.run(
            ["gcc", *STRICT, speed, "-shared", "-fPIC", "-o", "all.so", *sources, "-lm"], cwd=folder, check=True
        )
        self._library = ctypes.CDLL(str(folder / "all.so"))

    def answers(self, name: str, tried_steps: list[Any]) -> np.ndarray:
        """(T, O)."""
        step = self._steps[name]
        state = (
            ctypes.c_char * (sized(Unit(name, name, step, self._storage)).state + 16)
        )()  # `steps` has 8 bytes here, not 4
        outputs, found = (ctypes.c_float * count_of(step)[2])(), []
        getattr(self._library, f"{name}_init")(state)
        one = getattr(self._library, f"{name}_step")
        for numbers, symbols in tried_steps:
            given: list[Any] = [(ctypes.c_float * len(numbers))(*numbers.tolist())] if len(numbers) else []
            if symbols:
                given.append(ctypes.c_int(symbols[0]) if len(symbols) == 1 else (ctypes.c_int * len(symbols))(*symbols))
            one(state, *given, outputs)
            found.append(np.array(outputs, np.float64))
        return np.stack(found)


def same(found: np.ndarray, right: np.ndarray, tolerance: float = 1e-5) -> None:
    """Within the tolerance of C14, step by step."""
    off = np.abs(found - right).max(1) / np.maximum(1, np.abs(right).max(1))
    assert off.max() <= tolerance, f"step {off.argmax()}: {off.max():.2g}"


def network_of(task: Task, name: str, layers: int = 2) -> Network:
    config = ModelConfig(name=name, hidden=8, layers=layers)
    return Network(task.coder.specs, config, task.outputs, pooled=task.pooled, pool="last").eval()
