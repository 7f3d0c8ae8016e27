"""Two models that answer together: one starts from the outputs of the other, or their answers are mixed.

Axes: B rows, T steps, O outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.errors import UsageError, named
from unrolled.layers.graph import Value
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.item_outputs import ItemOutputs
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import real_steps
from unrolled.models._mixing import How, Outputs, mix, mix_graph, mixed
from unrolled.models._sketch import Sketch
from unrolled.models.model import Column, LiveModel, Model, Named
from unrolled.models.slots import LivePool, PairedPool
from unrolled.program.instructions import Source, Vector
from unrolled.program.program import Program
from unrolled.state import State

__all__ = ["Combined", "CombinedState"]


class CombinedState(NamedTuple):
    """The states of both models."""

    network: State
    other: State


class Combined(Model):
    """A network and another model, such as a `unrolled.solved.solved_model.SolvedModel`, that read the same inputs.

    With ``how="sum"`` the network learns what the other leaves: its outputs are 0 at first, so that training starts
    at the other's answers. Otherwise both are finished, and their answers are mixed.

    Args:
        network: the model that is trained.
        other: the model that is not.
        how: how their outputs become one (see `mix`).

    Attributes:
        share: (), the share of ``other`` in a mixture, saved with the weights.

    Cost: that of both.

    References:
        Caruana et al., Ensemble Selection from Libraries of Models, 2004. https://doi.org/10.1145/1015330.1015432
    """

    writes = False
    share: Tensor

    def __init__(self, network: Model, other: Model, how: How) -> None:
        super().__init__()
        self.network, self.how = network, how
        limits = [one.longest_read for one in (network, other) if one.longest_read is not None]
        self.longest_read, self.longest_written = min(limits, default=None), None
        self.register_buffer("share", torch.tensor(0.5))
        self.replace(other)
        if how == "sum":
            network.silence()

    def replace(self, other: Model) -> None:
        """Take another ``other``, such as the same method solved on more data."""
        self.other = other
        self.title = f"{self.network.title} {'from' if self.how == 'sum' else 'and'} {other.title}"
        for weights in other.parameters():
            weights.requires_grad_(False)

    @property
    def columns(self) -> InputEmbedding | None:  # type: ignore[override]  # an attribute would save its weights twice
        """That of the network."""
        return self.network.columns

    @property
    def layer(self) -> Layer | None:  # type: ignore[override]
        """That of the network."""
        return self.network.layer

    @property
    def causal(self) -> bool:
        """Whether both are."""
        return self.network.causal and self.other.causal

    @property
    def cannot_stream(self) -> str | None:
        """Why one of them cannot answer step by step; ``None`` if both can."""
        return self.network.cannot_stream or self.other.cannot_stream

    def forward(
        self, inputs: dict[str, Tensor], lengths: Tensor, state: CombinedState | None = None
    ) -> tuple[Tensor, CombinedState]:
        """Run both on padded rows: outputs, and the state after each row."""
        batch = Batch(inputs, lengths, torch.arange(len(lengths), device=lengths.device))
        outputs, after = self.run(batch, state)
        return _padded(outputs.scores(), batch) if isinstance(outputs, ItemOutputs) else outputs, after

    def run(self, batch: Batch, state: CombinedState | None = None) -> tuple[Outputs, CombinedState]:
        """Run both on a batch from the loader."""
        before = CombinedState(None, None) if state is None else state
        first, network = self.network.run(batch, before.network)
        with torch.no_grad():
            second, other = self.other.run(batch, before.other)
        outputs = mixed(first, second, self.share, self.how)
        return _padded(outputs, batch) if isinstance(outputs, Tensor) else outputs, CombinedState(network, other)

    def initial_state(self, batch: int) -> CombinedState:
        """The states of both before the first step of ``batch`` rows."""
        return CombinedState(self.network.initial_state(batch), self.other.initial_state(batch))

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        before = CombinedState(None, None) if state is None else state
        first, network = self.network.graph(inputs, lengths, before.network)
        second, other = self.other.graph(inputs, lengths, before.other)
        return mix_graph(first, second, float(self.share), self.how), CombinedState(network, other)

    def session(self, rows: int = 1) -> LiveModel:
        """A live session of both."""
        return _Session(self.network.session(rows), self.other.session(rows), self.share, self.how)

    def write_step(self, program: Program) -> Vector:
        """Write a step of both, and their sum or mean.

        Raises:
            UsageError: their probabilities are mixed, or one of them has no plain step.
        """
        equations = {"sum": "ours + theirs", "mean": "(1 - share) * ours + share * theirs"}
        if self.how not in equations:
            raise UsageError(
                f"the probabilities of this model are mixed with those of the {self.other.title}, which the export to "
                f"C does not have: train with {named('blend')} none"
            )
        ours, theirs = self.network.write_step(program), self.other.write_step(program)
        y = program.local("both", ours.size)
        values: dict[str, Source] = {"ours": ours, "theirs": theirs, "share": float(self.share)}
        program.each({"y": equations[self.how]}, values, {"y": y}, y.size)
        return y

    def pool(self) -> LivePool:
        """Live rows of both."""

        def mixed(first: Tensor, second: Tensor) -> Tensor:
            return mix(first, second, self.share, self.how)

        return PairedPool(self.network.pool(), self.other.pool(), CombinedState, mixed)

    def embeddings(self) -> dict[Column, Named]:
        """Those of the network."""
        return {column: Named(f"network.{name}", part) for column, (name, part) in self.network.embeddings().items()}

    def trunk(self) -> dict[str, Tensor]:
        """That of the network."""
        return self.network.trunk()

    def begin_step(self, progress: float, seed: int) -> None:
        """Tell the network how far training is."""
        self.network.begin_step(progress, seed)

    def sparse_weights(self) -> list[nn.Parameter]:
        """Those of the network."""
        return self.network.sparse_weights()

    def initialise(self, prior: Tensor | None, longest: int, candidates: int) -> None:
        """Do nothing if the network starts from the other, which knows the frequencies."""
        if self.how != "sum":
            self.network.initialise(prior, longest, candidates)

    def silence(self) -> None:
        """Make every output of the network 0."""
        self.network.silence()

    def sketch(self) -> Sketch:
        """The layers of the network."""
        return self.network.sketch()


def _padded(outputs: Tensor, batch: Batch) -> Tensor:
    """With an answer per step, ``outputs`` are 0 beyond each row's length."""
    return outputs * real_steps(batch.lengths, outputs.shape[1])[..., None] if outputs.dim() == 3 else outputs


class _Session:
    """A live session of two models."""

    def __init__(self, network: LiveModel, other: LiveModel, share: Tensor, how: How) -> None:
        self._network, self._other, self._share, self._how = network, other, share, how

    def push(self, inputs: dict[str, Tensor]) -> Tensor:
        """One step of each row."""
        return mix(self._network.push(inputs), self._other.push(inputs), self._share, self._how)

    @property
    def state(self) -> CombinedState:
        """A copy of both states."""
        return CombinedState(self._network.state, self._other.state)

    @state.setter
    def state(self, state: CombinedState) -> None:
        self._network.state, self._other.state = state
