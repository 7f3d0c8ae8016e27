"""What a drawing shows of a model: boxes over time, and what goes from one to the next."""

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
        boxes: what each layer is called, from the lowest.
        both: each of them reads from the end as well.
        remembers: a step hands a state to the next one.
        whole: each step sees every other at once, so that there is no state to hand on.
    """

    boxes: tuple[str, ...]
    both: bool = False
    remembers: bool = True
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Sketch:
    """A model that reads, and perhaps writes.

    Attributes:
        reads: the layers over the input.
        timed: the input has steps.
        pool: how its steps become the one answer of a row; ``None``: each step has an answer of its own.
        writes: the layers over the answer, where it is written step by step.
        attention: how what is written looks back at what was read; ``none``: it does not.
    """

    reads: Stack
    timed: bool = True
    pool: str | None = None
    writes: Stack | None = None
    attention: str = "none"


def stack_of(layer: Layer) -> Stack:
    """What a drawing shows of ``layer``.

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
    """What stands in the boxes of ``layer``, from the lowest."""
    return layer.boxes or (type(layer).__name__,)
