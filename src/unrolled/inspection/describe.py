"""What a model is made of: its parts and their shapes, what a step costs, what it remembers, and its drawing.

Axes: K layers, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unrolled.batch import Discrete, Spec
from unrolled.inspection.drawing import Answers, draw
from unrolled.layers.attention.multihead import SelfAttention
from unrolled.layers.attention.positions import Learned
from unrolled.layers.embed import Embedding
from unrolled.models.model import Model
from unrolled.state import State, flatten
from unrolled.tasks.task import Task

__all__ = ["Description", "describe", "describe_spec"]


@dataclass(frozen=True, slots=True)
class Description:
    """A model in words and numbers; ``str`` of it is for reading.

    Attributes:
        title: model and task.
        columns: input column -> what it holds, and the target's under ``-> name``.
        weights: name of a weight -> its shape.
        parameters: how many numbers training learned.
        multiply_adds_per_step: of one row; of one direction's step and the other's, where there are two. An answer
            that is given once a row is counted as if it were given at every step.
        multiply_adds_per_step_seen: those that a step of attention needs beside for each step that it sees.
        state_bytes: what one stream keeps before its first step; ``None`` if the model cannot stream.
        state_bytes_per_step: what each step adds to that; 0 but for attention.
        attention_window: the steps after which that ends; ``None``: it does not.
        drawing: the network unrolled through time.
    """

    title: str
    columns: dict[str, str]
    weights: dict[str, list[int]]
    parameters: int
    multiply_adds_per_step: int
    multiply_adds_per_step_seen: int
    state_bytes: int | None
    state_bytes_per_step: int
    attention_window: int | None
    drawing: str

    def __str__(self) -> str:
        column = max(len(name) for name in self.columns)
        weight = max(len(name) for name in self.weights)
        state = "none: it answers a row when all of it is known, so it cannot stream"
        if self.state_bytes is not None:
            state = f"{self.state_bytes:,} bytes a stream, however long the stream"
            if self.state_bytes_per_step:
                until = (
                    "" if self.attention_window is None else f", of which it keeps the last {self.attention_window:,}"
                )
                state = f"{self.state_bytes:,} bytes a stream, and {self.state_bytes_per_step:,} for each step{until}"
        cost = f"{self.multiply_adds_per_step:,} multiply-adds"
        if self.multiply_adds_per_step_seen:
            cost += f", and {self.multiply_adds_per_step_seen:,} for each step that it sees"
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
                f"cost of a step  {cost}",
                f"state           {state}",
            ]
        )


def describe(task: Task, network: Model) -> Description:
    """Describe ``network``, which answers ``task``."""
    coder = task.coder
    specs = {name: encoding.spec for name, encoding in coder.inputs.items()}
    columns = {name: f"{coder.report(name)}; {describe_spec(specs[name])}" for name in coder.inputs}
    columns[f"-> {coder.target}"] = coder.form.asks if coder.continues else coder.answer.report()
    attentions = [module for module in network.modules() if isinstance(module, SelfAttention)]
    live = network if network.cannot_stream is None else None
    return Description(
        title=f"{network.title} for {task.name}",
        columns=columns,
        weights={name: list(tensor.shape) for name, tensor in network.named_parameters()},
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds_per_step=_multiply_adds(network),
        multiply_adds_per_step_seen=sum(2 * attention.width for attention in attentions),
        state_bytes=_bytes(live.initial_state(1)) if live else None,
        state_bytes_per_step=_growth(live) if live else 0,
        attention_window=attentions[0].attention_window if attentions else None,
        drawing=_drawing(task, network),
    )


def describe_spec(spec: Spec) -> str:
    """How a column looks to the network, in words."""
    what = f"one of {spec.size} symbols" if isinstance(spec, Discrete) else f"{spec.width} numbers"
    return f"{what} a {'step' if spec.time else 'row'}"


def _drawing(task: Task, network: Model) -> str:
    drawing = draw(network.sketch(), _answers(task), task.coder.horizon)
    sizes = f"{network.columns.output_size} numbers a step → {network.layer.output_size} → {task.outputs} outputs"
    return f"{drawing}\n\n{sizes}; the weights are the same at every step"


def _answers(task: Task) -> Answers:
    if task.coder.form.predicts_next:
        return "next"
    return "row" if task.pooled else "step"


def _multiply_adds(network: Model) -> int:
    """Every matrix meets one vector a step; a table of symbols or step numbers is looked up, and meets none."""
    looked_up = {
        id(table.weight) for table in network.modules() if isinstance(table, Embedding | Learned | nn.Embedding)
    }
    return sum(p.numel() for p in network.parameters() if p.dim() > 1 and id(p) not in looked_up)


def _growth(network: Model) -> int:
    """The bytes by which a state is larger after one step: of all models but those that attend, 0."""
    like = next(network.parameters())
    first = network.layer.initial_state(1, like)
    with torch.no_grad():
        _, after = network.layer.step(like.new_zeros(1, network.layer.input_size), first)
    return _bytes(after) - _bytes(first)


def _bytes(state: State) -> int:
    return sum(tensor.nbytes for _, tensor in flatten(state))
