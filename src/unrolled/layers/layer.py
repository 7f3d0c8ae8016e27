"""What a layer is: the part of a model that turns vectors into vectors over time.

Axes: B rows, T steps, I inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from unrolled.config import Part

if TYPE_CHECKING:
    from torch import Tensor

    from unrolled.layers.recurrence.session import LayerSession
    from unrolled.state import State

__all__ = ["Layer"]


class Layer(Protocol):
    """A model without its ends: vectors in, vectors out, over a padded batch, in chunks or step by step.

    A layer names this class among its bases, and so has the defaults below.

    Attributes:
        causal: no output depends on a later input, so that it can stream.
        bidirectional: the second half of each output was read from the row's end backward. A layer may see the future
            without that, as attention does.
        regroups: over whole rows it adds up in another order than step by step, as attention does, so that the two may
            differ in one digit more.
        keeps_every_step: its state grows with every step that it has read.
        most_steps: the longest row that it can read; ``None``: there is none.
        memory_size: the width of a memory that it attends to by itself, such as an encoder's outputs; ``None``: it has
            none.
        boxes: what a drawing writes into its boxes, from the lowest to the highest; empty: the name of the class.
        takes_memory: ``build`` takes such a width.
        embedding_gain: what the vectors of symbols are multiplied by before it reads them (see `Embedding`).
        Options: the class of its own options; ``build`` gets them by ``config.of``.
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
        """The layer live, for one row or ``batch`` of them."""

    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state of ``batch`` rows before their first step, with the dtype and device of ``like``."""
