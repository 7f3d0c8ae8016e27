"""The interface of a layer: the part of a model that turns vectors into vectors over time.

Axes: B rows, T steps, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from unrolled.config import Part
from unrolled.errors import UsageError, named

if TYPE_CHECKING:
    from torch import Tensor, nn

    from unrolled.layers.graph import Value
    from unrolled.layers.plain_torch import Plain
    from unrolled.layers.recurrence.layer_session import LayerSession
    from unrolled.program.instructions import Vector
    from unrolled.program.program import Program
    from unrolled.state import State

__all__ = ["Layer"]


class Layer(Protocol):
    """A layer maps vectors to vectors, over a padded batch, in chunks, or step by step.

    Derive a layer from this class to get the defaults below.

    Attributes:
        causal: no output depends on a later input, so the layer can stream.
        bidirectional: the second half of each output comes from a backward pass. A layer that is not causal need not be
            bidirectional: attention is not.
        regroups: whole rows are summed in another order than single steps, as in attention, so that the two may differ
            by a little more than rounding.
        keeps_every_step: the state grows with every step.
        most_steps: the longest row that the layer can read; ``None``: no limit.
        memory_size: the width of a memory that the layer attends to, such as an encoder's outputs; ``None``: no memory.
        boxes: the text in each box of a drawing, from the lowest; empty: the name of the class.
        takes_memory: ``build`` takes a ``memory_size``.
        embedding_gain: the factor that scales embeddings before the layer reads them (see `Embedding`).
        Options: the class of the layer's own options; ``build`` gets them with ``config.of``.
    """

    input_size: int
    output_size: int
    causal: bool
    bidirectional: bool
    regroups: ClassVar[bool] = False
    keeps_every_step: bool = False
    most_steps: int | None = None
    memory_size: int | None = None
    boxes: tuple[str, ...] = ()
    takes_memory: ClassVar[bool] = False
    embedding_gain: ClassVar[float] = 1.0
    Options: ClassVar[type[Part]] = Part

    def __call__(self, x: Tensor, lengths: Tensor | None = None, state: State = None) -> tuple[Tensor, State]:
        """``x`` (B, T, I) -> ``y`` (B, T, output_size), 0 beyond each row's length, and the state after it."""

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x`` (B, I) and the state before -> ``y`` (B, output_size) and the state after."""

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the layer for one row, or for ``batch`` rows."""

    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state of ``batch`` rows before their first step, with the dtype and device of ``like``."""

    def gathered_apart(self) -> Sequence[nn.Module]:
        """The modules that each `__call__` calls once, one after another, and whose weights only they read.

        Where ranks share the weights of a model, they gather those of one such module at a time: none, unless a layer
        says otherwise.
        """
        return ()

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        """What `__call__` computes, as operators.

        Args:
            x: (B, T, I), with zeros at padding.
            lengths: (B,) int64.
            state: a tree of values; ``None`` where the layer is not causal, or for the first state.

        Returns:
            (B, T, output_size), 0 beyond each row's length, and the state after, a tree of values.

        Raises:
            UsageError: it cannot be exported.
        """
        raise UsageError(f"the layer {type(self).__name__} cannot be exported: it has no method `graph`")

    def plain(self) -> Plain:
        """The layer in plain torch.

        Raises:
            UsageError: it has no such form; so it is unless a layer says otherwise.
        """
        raise UsageError(
            f"the layer {type(self).__name__} is not one that the export to torch has: export it to onnx instead"
        )

    def write_step(self, program: Program, x: Vector) -> Vector:
        """Write a step that reads ``x`` (I,) into ``program``, and return its output.

        Raises:
            UsageError: the layer has no step of a fixed size; so it is unless a layer says otherwise.
        """
        why = "keeps every step, so its memory grows with the row" if self.keeps_every_step else "has no plain step"
        raise UsageError(
            f"the layer {type(self).__name__} {why}, and cannot be exported to C: "
            f"train a recurrent model, such as {named('model')} gru"
        )
