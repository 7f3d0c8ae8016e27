"""The protocol of solved models: counts and linear systems where other models descend along a gradient.

A solved model is a whole model. It is scored beside the baselines, a network can start from its outputs, and the two
can be mixed. Its outputs are those that the task expects from a network.

Axes: B rows, O outputs.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import Part, options_of
from unrolled.data.examples.examples import Examples
from unrolled.errors import UsageError, named
from unrolled.layers.config import NONE
from unrolled.layers.graph import Value
from unrolled.layers.item_outputs import ItemOutputs
from unrolled.models._mixing import Outputs
from unrolled.models._session import PlainSession
from unrolled.models._sketch import Sketch, Stack
from unrolled.models.model import Column, LiveModel, Model, Named
from unrolled.models.slots import LivePool, pool_of_steps
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.registry import Registry
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["SOLVED", "SolvedModel", "solve_all"]

SOLVED = Registry("solved")


class SolvedModel(Model):
    """A model whose weights solve equations. A file in ``solved/`` with a line ``MEMBER = Class`` is one.

    Attributes:
        name: the name shown in tables.
        Options: what a user may choose, and the sizes that the training data decided; together they give the shape of
            each weight, so that a saved model can be rebuilt.
        options: its own options, with all sizes.
        causal: no output depends on a later input.
        starts: whether a network can learn what it leaves: its errors on the training data are like those on new data.
        built_of: the other solved models that it is built of, so that none of them is solved twice (see `build`).
        combines: whether it answers for several others, so that it errs less than one of them that little data chose.
        effort: 0 for what is counted at once, 1 for systems of equations and short searches, 2 for long searches.
    """

    name: ClassVar[str]
    Options: ClassVar[type[Part]] = Part
    causal: bool = True  # an abstract property of every model; a constant of these
    starts: ClassVar[bool] = False
    built_of: ClassVar[tuple[str, ...]] = ()
    combines: ClassVar[bool] = False
    effort: ClassVar[int] = 0
    columns = None
    layer = None
    writes = False
    longest_read = None
    longest_written = None

    def __init__(self, task: Task, options: Any) -> None:
        """A model with weights of the right shape, all 0, ready for `load_state_dict`."""
        super().__init__()
        self.options, self.title = options, self.name

    @staticmethod
    @abstractmethod
    def applies(task: Task, train: Examples) -> bool:
        """True if it can answer ``task``; ``train`` is the training split."""

    @classmethod
    @abstractmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Solve it on the training split, a pure function of the arguments.

        Args:
            task: what its outputs are for.
            train: the training split.
            options: the user's; sizes that are not chosen are ``None``.
            seed: for what is drawn at random.
        """

    @classmethod
    def build(cls, task: Task, parts: Mapping[str, SolvedModel]) -> Self:
        """The model from those of ``built_of`` that apply, solved on the same data; for members that name some."""
        raise NotImplementedError

    def forward(self, inputs: dict[str, Tensor], lengths: Tensor, state: State = None) -> tuple[Any, State]:
        """Run it on padded rows: outputs, and the state after each row."""
        outputs, after = self.run(Batch(inputs, lengths, torch.arange(len(lengths), device=lengths.device)), state)
        return outputs.scores() if isinstance(outputs, ItemOutputs) else outputs, after

    @abstractmethod
    def run(self, batch: Batch, state: State = None) -> tuple[Outputs, State]:
        """The outputs for a batch, (B, T, O), 0 beyond each row's length, or with one answer per row (B, O).

        Those over items are `unrolled.layers.item_outputs.ItemOutputs`, as those of a network are.
        """

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """Refuse; those that can be exported write themselves.

        Raises:
            UsageError: always.
        """
        raise self.without_graph()

    def without_graph(self) -> UsageError:
        """The error for a model that cannot be exported as a graph."""
        without = " ".join(f"{named(name)} {NONE}" for name in ("start", "blend", "only"))
        return UsageError(
            f"this model answers with {self.name}, which cannot be exported as a graph: train a network without it, "
            f"with {without}"
        )

    @abstractmethod
    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, State]:
        """One step of each row: per column (B,) int64 or (B, W) float32, to (B, O)."""

    @property
    def cannot_stream(self) -> str | None:
        """Why it cannot answer step by step; ``None`` if it can."""
        return None if self.causal else f"the {self.name} reads whole sequences, so it cannot stream"

    def session(self, rows: int = 1) -> LiveModel:
        """A live session: ``push`` takes one step of each row, and the session keeps the state."""
        return PlainSession(self.step, self.initial_state(rows))

    def write_step(self, program: Program) -> Vector:
        """Refuse; those of which a step is easily written do so.

        Raises:
            UsageError: always.
        """
        start, blend, only = (f"{named(option)} none" for option in ("start", "blend", "only"))
        raise UsageError(
            f"the {self.name} in this model cannot be exported to C: train with {start}, {blend} and {only}, so that "
            "the network answers by itself"
        )

    def pool(self) -> LivePool:
        """Live rows of the model, stepped together."""
        return pool_of_steps(self.step, self.initial_state(1))

    def embeddings(self) -> dict[Column, Named]:
        """None: it reads symbols as they are."""
        return {}

    def trunk(self) -> dict[str, Tensor]:
        """Empty: its weights fit one task only."""
        return {}

    def begin_step(self, progress: float, seed: int) -> None:
        """Do nothing: it is not trained."""

    def initialise(self, prior: Tensor | None, longest: int, candidates: int) -> None:
        """Do nothing: `solve` gave it its weights."""

    def silence(self) -> None:
        """Refuse: others start from it.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"the {self.name} is solved, so it starts from no other model")

    def sketch(self) -> Sketch:
        """One box, which passes its state on if it has one."""
        return Sketch(Stack((self.name,), remembers=self.causal, whole=not self.causal))


def solve_all(
    task: Task,
    train: Examples,
    own: Mapping[str, Mapping[str, Any]],
    seed: int,
    names: Collection[str] | None = None,
    seconds: float | None = None,
) -> dict[str, SolvedModel]:
    """Solve every solved model that can answer ``task``: name of the member -> model.

    Those of little effort come first. A model is not stopped while it is solved, so that the last one may take longer
    than there is time for.

    Args:
        task, train, seed: as for `SolvedModel.solve`.
        own: ``solved.name`` -> the options of that member.
        names: only these; ``None``: all.
        seconds: after which no further model of any effort is begun; ``None``: no clock is read.
    """
    until = math.inf if seconds is None else time.monotonic() + seconds
    members: dict[str, type[SolvedModel]] = SOLVED.members()
    able = {name: member for name, member in members.items() if member.applies(task, train)}
    found: dict[str, SolvedModel] = {}

    def solved(name: str) -> SolvedModel:
        if name not in found:
            parts = {part: solved(part) for part in able[name].built_of if part in able}
            options = options_of(own, "solved", name)
            found[name] = able[name].build(task, parts) if parts else able[name].solve(task, train, options, seed)
        return found[name]

    def affordable(name: str) -> bool:
        parts = [part for part in able[name].built_of if part in able]
        built = bool(parts) and all(part in found for part in parts)  # what it is built of is there already
        return able[name].effort == 0 or built or time.monotonic() < until

    wanted = sorted((name for name in able if names is None or name in names), key=lambda one: able[one].effort)
    solving = {name: solved(name) for name in wanted if affordable(name)}
    return {name: solving[name] for name in sorted(solving)}
