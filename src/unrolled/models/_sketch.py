"""A model as a drawing shows it: boxes over time, and what passes from one to the next."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from unrolled.layers.layer import Layer
from unrolled.state import flatten

__all__ = ["Sketch", "Stack", "boxes_of", "stack_of"]


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers that run over the same steps.

    Attributes:
        boxes: the name of each layer, from the lowest.
        both: the layers read in both directions.
        remembers: each step passes a state to the next.
        whole: each step sees all others at once, so no state is passed.
    """

    boxes: tuple[str, ...]
    both: bool = False
    remembers: bool = True
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Sketch:
    """A whole model as a drawing shows it: the layers that read, and the layers that write if there are any.

    Attributes:
        reads: the layers over the input.
        timed: the input has steps.
        pool: how the steps become one answer per row; ``None``: each step has its own answer.
        writes: the layers of the decoder; ``None`` without one.
        attention: how the decoder attends to the input; ``none``: it does not.
        sides: the names of the side sequences, each of which is read to one vector first.
    """

    reads: Stack
    timed: bool = True
    pool: str | None = None
    writes: Stack | None = None
    attention: str = "none"
    sides: tuple[str, ...] = ()


def stack_of(layer: Layer) -> Stack:
    """The `Stack` that shows ``layer`` in a drawing.

    Example:
        >>> from unrolled.layers.recurrent import Recurrent
        >>> stack_of(Recurrent(3, 4, "gru", num_layers=2))
        Stack(boxes=('gru', 'gru'), both=False, remembers=True, whole=False)
    """
    return Stack(
        boxes_of(layer),
        both=layer.bidirectional,
        remembers=any(True for _ in flatten(layer.initial_state(1, torch.empty(0)))),
        whole=not (layer.causal or layer.bidirectional),
    )


def boxes_of(layer: Layer) -> tuple[str, ...]:
    """The text in each box of ``layer``, from the lowest."""
    return layer.boxes or (type(layer).__name__,)
