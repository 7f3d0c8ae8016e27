"""Graphs in onnxruntime: layers and networks exported, run, and compared with what they compute here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Spec
from unrolled.export._file import to_onnx
from unrolled.export._graphs import AFTER, LENGTHS, OUTPUTS, graph_of, input_name, state_in, state_out
from unrolled.layers.graph import Graph, zeroed
from unrolled.models.model import Model
from unrolled.state import State, flatten, map_state, rebuild
from unrolled.tasks.task import Task

__all__ = ["Exported", "apart", "exported_layer", "exported_network", "opened"]


def opened(data: bytes) -> Any:
    """A session of one thread."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


class Exported:
    """An exported model that is called as the model itself: inputs, lengths and state -> outputs and state."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.data = graph, to_onnx(graph)
        self._session = opened(self.data)
        self._names = [one.name for one in self._session.get_inputs()]

    def __call__(self, inputs: dict[str, Tensor], lengths: Tensor, state: State) -> tuple[Tensor, State]:
        feed = {input_name(name): value for name, value in inputs.items()} | {LENGTHS: lengths}
        feed |= {} if state is None else dict(flatten(state))
        feed = {name: value.numpy() for name, value in feed.items() if name in self._names}
        ports = [one.name for one in self.graph.scope.outputs]
        found = dict(zip(ports, map(torch.from_numpy, self._session.run(ports, feed)), strict=True))
        y = found.pop(OUTPUTS)
        after = {name.removesuffix(AFTER): value for name, value in found.items()}
        return y, rebuild(state, after) if state is not None else None


def exported_layer(layer: Any) -> Exported:
    """A layer by itself."""
    g = Graph()
    x, lengths = g.input("x", np.float32, ("rows", "steps", layer.input_size)), g.input(LENGTHS, np.int64, ("rows",))
    state = layer.initial_state(1, torch.zeros(())) if layer.causal else None
    before = None if state is None else state_in(g, state)
    y, after = layer.graph(zeroed(x, lengths), lengths, before)
    g.output(OUTPUTS, y, ("rows", "steps", layer.output_size))
    if state is not None:
        state_out(g, state, after)
    return Exported(g)


def exported_network(network: Model, specs: dict[str, Spec], outputs: int, pooled: bool) -> Exported:
    """A network whose outputs are not scaled."""
    coder = SimpleNamespace(specs=specs, inputs={}, by_window=False, strands=None)
    task = SimpleNamespace(coder=coder, pooled=pooled, outputs=outputs, graph=lambda *given: {})
    return Exported(graph_of(cast(Task, task), network))


def apart(found: tuple[Tensor, State], wanted: tuple[Tensor, State]) -> float:
    """The largest difference of outputs and states, relative to the largest number of each where that is above 1."""
    pairs = [(found[0], wanted[0])]
    map_state(lambda a, b: pairs.append((a, b)), found[1], wanted[1])
    return max(map(_difference, *zip(*pairs, strict=True)))


def _difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    same = a == b  # infinities too
    if same.all():
        return 0.0
    scale = max(1.0, float(b[b.isfinite()].abs().max()))
    return float((a - b)[~same].abs().nan_to_num(torch.inf).max()) / scale
