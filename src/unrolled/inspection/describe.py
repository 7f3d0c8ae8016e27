"""What a model is made of: its parts and their shapes, what a step costs, what it remembers, and its drawing.

Axes: K layers, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from unrolled.config import ModelConfig, RunConfig
from unrolled.inspection.drawing import Answers, draw
from unrolled.layers.embed import Embedding
from unrolled.models.network import Network, describe_spec
from unrolled.state import flatten
from unrolled.tasks.task import Task

__all__ = ["Description", "describe"]


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
        state_bytes: what one stream keeps between two steps; ``None`` if the model cannot stream.
        drawing: the network unrolled through time.
    """

    title: str
    columns: dict[str, str]
    weights: dict[str, list[int]]
    parameters: int
    multiply_adds_per_step: int
    state_bytes: int | None
    drawing: str

    def __str__(self) -> str:
        column = max(len(name) for name in self.columns)
        weight = max(len(name) for name in self.weights)
        state = "none: it answers a row when all of it is known, so it cannot stream"
        if self.state_bytes is not None:
            state = f"{self.state_bytes:,} bytes a stream, however long the stream"
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
                f"cost of a step  {self.multiply_adds_per_step:,} multiply-adds",
                f"state           {state}",
            ]
        )


def describe(config: RunConfig, task: Task, network: Network) -> Description:
    """Describe ``network``, which answers ``task``."""
    coder = task.coder
    specs = {name: encoding.spec for name, encoding in coder.inputs.items()}
    columns = {name: f"{encoding.report()}; {describe_spec(specs[name])}" for name, encoding in coder.inputs.items()}
    columns[f"-> {coder.target}"] = _question(task) if coder.continues else coder.answer.report()
    streams = network.causal and not config.task.crf
    state = sum(t.numel() * t.element_size() for _, t in flatten(network.initial_state(1))) if streams else None
    return Description(
        title=f"{config.model.name} for {task.name}",
        columns=columns,
        weights={name: list(tensor.shape) for name, tensor in network.named_parameters()},
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds_per_step=_multiply_adds(network),
        state_bytes=state,
        drawing=draw(
            _cells(config.model),
            both=not network.causal,
            remembers=config.model.name not in ("mlp", "window"),
            timed=any(spec.time for spec in specs.values()),
            answers=_answers(task),
            pool=config.model.pool or "last",
            horizon=coder.horizon,
        )
        + f"\n\n{network.columns.output_size} numbers a step → {network.layer.output_size} → {task.outputs} outputs; "
        + "the weights are the same at every step",
    )


def _question(task: Task) -> str:
    if task.coder.form == "fill":
        return "those of its own steps that are hidden"
    horizon = task.coder.horizon
    return f"its own next {horizon} steps" if horizon else "its own next step"


def _answers(task: Task) -> Answers:
    if task.coder.form == "next":
        return "next"
    return "row" if task.pooled else "step"


def _cells(config: ModelConfig) -> list[str]:
    if config.name == "window":
        return [f"last {config.window} steps", *["linear"] * (config.layers - 1)]
    return [config.name.removeprefix("bi")] * config.layers


def _multiply_adds(network: Network) -> int:
    """Every matrix meets one vector a step; a table of embeddings is looked up, and meets none."""
    tables = [m for m in network.modules() if isinstance(m, Embedding)]
    looked_up = {id(table.weight) for table in tables}
    return sum(p.numel() for p in network.parameters() if p.dim() > 1 and id(p) not in looked_up)
