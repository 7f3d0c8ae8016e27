"""The arithmetic of a row: for each cell its equations, and every number that they need, step by step.

Axes: T steps, I inputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.cells.cell import ExplainedCell, is_explained
from unrolled.cells.equations import Tree, parsed
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.state import State
from unrolled.watch import watching

__all__ = ["Arithmetic", "arithmetic"]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """One cell and what it computed on a row.

    Attributes:
        path: of the cell in the network.
        equations: name of a value -> its equation, in the order in which they are computed.
        values: name -> (T, H): what the cell shows, each part of the state before the step (``c_before``), and the
            products of its weights (``x_f``, ``h_f``). ``x``, what it reads, is (T, I).
    """

    path: str
    equations: dict[str, Tree]
    values: dict[str, Tensor]


def arithmetic(network: Model, batch: Batch) -> list[Arithmetic]:
    """The cells of ``network`` that declare their equations, each with its numbers on a batch of one row.

    Cost: the row once more, step by step without the kernels.
    """
    cells = {path: module for path, module in network.named_modules() if is_explained(module)}
    if not cells:
        return []
    # A watcher that could change values sees the cells themselves; one that only looks is shown what the kernels keep.
    recorder = Recorder(network, lambda path: path.rpartition(".")[0] in cells, lambda _, value: value)
    training = network.training
    network.eval()
    try:
        with ExitStack() as stack, torch.no_grad():
            for cell in cells.values():
                assert isinstance(cell, nn.Module)
                stack.callback(cell.register_forward_pre_hook(_teller(recorder)).remove)
            stack.enter_context(watching(recorder))
            network.run(batch)
    finally:
        network.train(training)
    values: dict[str, dict[str, Tensor]] = {path: {} for path in cells}
    for path, value in recorder.values().items():
        cell_path, _, name = path.rpartition(".")
        values[cell_path][name] = value[0].float()
    return [
        Arithmetic(path, {name: parsed(one) for name, one in cell.equations.items()}, values[path])
        for path, cell in cells.items()
        if values[path]
    ]


def _teller(recorder: Recorder) -> Any:
    """A hook that tells ``recorder`` what a cell is given; it is turned with the rest where a run is backward."""

    def tell(cell: Any, given: tuple[Tensor, State]) -> None:
        x, state = given
        for name, value in _given(cell, x, state).items():
            recorder.saw(cell, name, value, False)

    return tell


def _given(cell: ExplainedCell, x: Tensor, state: Any) -> Mapping[str, Tensor]:
    parts = {"h": state} if isinstance(state, Tensor) else state._asdict()
    return {"x": x, **{f"{name}_before": part for name, part in parts.items()}, **cell.products(x, state)}
