"""Describe a model: its parts and their shapes, the cost of a step, the size of its state, and a drawing.

Axes: K layers, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unrolled.batch import Discrete, Spec, Spelled, letters_of
from unrolled.inspection.drawing import Answers, draw
from unrolled.inspection.network_picture import network_picture
from unrolled.layers.attention.multihead import SelfAttention
from unrolled.layers.attention.positions import Learned
from unrolled.layers.embed import Embedding
from unrolled.layers.letters import WordLetters
from unrolled.models._sides import Sides
from unrolled.models._sketch import Sketch
from unrolled.models.model import Model
from unrolled.page.notebook import cell, facts
from unrolled.state import State, flatten
from unrolled.tasks.task import Task

__all__ = ["Description", "describe", "describe_spec"]


@dataclass(frozen=True, slots=True)
class Description:
    """A model in words and numbers; ``str`` formats it for reading.

    Attributes:
        title: the model and the task.
        columns: input column -> its content; the target is under ``-> name``.
        weights: name of a parameter -> its shape; without a network, those that were solved.
        parameters: the number of trained values, or without a network of solved ones.
        multiply_adds_per_step: for one step of one row, in both directions if there are two. The head is counted at
            every step, even if it runs only once per row. ``None`` without a network: what is solved differs too much.
        multiply_adds_per_step_seen: further multiply-adds per step that attention looks back at.
        state_bytes: the size of a stream's state before its first step; ``None`` if the model cannot stream.
        state_bytes_per_step: the growth of the state per step; 0 without attention.
        attention_window: the number of steps after which the state stops growing; ``None``: unlimited.
        drawing: the network unrolled through time.
        sketch, answers, horizon: what `to_svg` draws.
        multiply_adds_per_side_step: for one step of every side sequence of one row; they are read once per row.
    """

    title: str
    columns: dict[str, str]
    weights: dict[str, list[int]]
    parameters: int
    multiply_adds_per_step: int | None
    multiply_adds_per_step_seen: int
    state_bytes: int | None
    state_bytes_per_step: int
    attention_window: int | None
    drawing: str
    sketch: Sketch
    answers: Answers
    horizon: int
    multiply_adds_per_side_step: int = 0

    @property
    def cost(self) -> str:
        """The cost of a step, in words."""
        cost = "not counted: the model is solved"
        if self.multiply_adds_per_step is not None:
            cost = f"{self.multiply_adds_per_step:,} multiply-adds"
        if self.multiply_adds_per_step_seen:
            cost += f", and {self.multiply_adds_per_step_seen:,} per step that it looks back at"
        if self.multiply_adds_per_side_step:
            cost += f"; once per row, {self.multiply_adds_per_side_step:,} per step of the side sequences"
        return cost

    @property
    def state(self) -> str:
        """The size of a stream's state, in words."""
        state = "none: the model needs the whole row before it answers, so it cannot stream"
        if self.state_bytes is not None:
            state = f"{self.state_bytes:,} bytes per stream, at any length"
            if self.state_bytes_per_step:
                until = "" if self.attention_window is None else f" for the last {self.attention_window:,} steps"
                state = f"{self.state_bytes:,} bytes per stream, and {self.state_bytes_per_step:,} per step{until}"
        return state

    def __str__(self) -> str:
        column = max(len(name) for name in self.columns)
        weight = max((len(name) for name in self.weights), default=0)
        return "\n".join(
            [
                self.title,
                "",
                *(f"  {name:<{column}}  {what}" for name, what in self.columns.items()),
                "",
                self.drawing,
                "",
                f"parameters      {self.parameters:,}",
                *(f"  {name:<{weight}}  {' × '.join(map(str, shape))}" for name, shape in self.weights.items()),
                f"cost of a step  {self.cost}",
                f"state           {self.state}",
            ]
        )

    def _repr_html_(self) -> str:
        weights = ((name, " × ".join(map(str, shape))) for name, shape in self.weights.items())
        rest = [("parameters", f"{self.parameters:,}"), *weights, ("cost of a step", self.cost), ("state", self.state)]
        return cell(self.title, facts(self.columns.items()), self.to_svg(), facts(rest))

    def to_svg(self) -> str:
        """The network unrolled through time as an element ``<svg>``; `unrolled.page.svg.as_file` makes it a file."""
        return network_picture(self.sketch, self.answers, self.horizon, self.title)


def describe(task: Task, network: Model) -> Description:
    """Describe ``network``, trained for ``task``."""
    coder = task.coder
    specs = coder.specs
    columns = {
        name: "; ".join(
            [coder.report(name), *(describe_spec(specs[one]) for one in (name, letters_of(name)) if one in specs)]
        )
        for name in coder.inputs
    }
    columns[f"-> {coder.target}"] = coder.form.asks if coder.continues else coder.answer.report()
    attentions = [module for module in network.modules() if isinstance(module, SelfAttention)]
    live = network if network.cannot_stream is None else None
    weights: dict[str, Tensor] = {**dict(network.named_parameters())} or dict(network.named_buffers())
    beside = sum(_multiply_adds(module) for module in network.modules() if isinstance(module, Sides))
    return Description(
        title=f"{network.title} for {task.name}",
        columns=columns,
        weights={name: list(tensor.shape) for name, tensor in weights.items()},
        parameters=sum(tensor.numel() for tensor in weights.values()),
        multiply_adds_per_step=None if network.layer is None else _multiply_adds(network) - beside,
        multiply_adds_per_step_seen=sum(2 * attention.width for attention in attentions),
        state_bytes=_bytes(live.initial_state(1)) if live else None,
        state_bytes_per_step=_growth(live) if live else 0,
        attention_window=attentions[0].attention_window if attentions else None,
        drawing=_drawing(task, network),
        sketch=network.sketch(),
        answers=_answers(task),
        horizon=task.coder.horizon,
        multiply_adds_per_side_step=beside,
    )


def describe_spec(spec: Spec) -> str:
    """Describe in words what the network receives from a column."""
    if isinstance(spec, Discrete):
        what = f"one of {spec.size} symbols"
    else:
        what = f"{spec.width} {'letters' if isinstance(spec, Spelled) else 'numbers'}"
    return f"{what} per {'step' if spec.time or spec.side else 'row'}"


def _drawing(task: Task, network: Model) -> str:
    drawing = draw(network.sketch(), _answers(task), task.coder.horizon)
    if network.layer is None:
        return drawing
    sizes = f"{network.layer.input_size} numbers per step → {network.layer.output_size} → {task.outputs} outputs"
    return f"{drawing}\n\n{sizes}; the weights are the same at every step"


def _answers(task: Task) -> Answers:
    if task.coder.form.predicts_next:
        return "next"
    return "row" if task.pooled else "step"


def _multiply_adds(network: nn.Module) -> int:
    """Count one product with a vector per matrix and step, or letter; embedding tables are looked up and cost none."""
    looked_up = {
        id(table.weight) for table in network.modules() if isinstance(table, Embedding | Learned | nn.Embedding)
    }
    again = sum((one.width - 1) * one.multiply_adds for one in network.modules() if isinstance(one, WordLetters))
    return again + sum(p.numel() for p in network.parameters() if p.dim() > 1 and id(p) not in looked_up)


def _growth(network: Model) -> int:
    """The bytes by which the state grows in one step; 0 for models without attention."""
    if network.layer is None:
        return 0
    like = next(network.parameters())
    first = network.layer.initial_state(1, like)
    with torch.no_grad():
        _, after = network.layer.step(like.new_zeros(1, network.layer.input_size), first)
    return _bytes(after) - _bytes(first)


def _bytes(state: State) -> int:
    return sum(tensor.nbytes for _, tensor in flatten(state))
