"""What data hands to a model, and the two ways in which a column can look to it.

Axes: B rows, T steps, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from torch import Tensor

__all__ = ["MISSING", "Batch", "Continuous", "Discrete", "Spec"]

MISSING = -100  # in integer targets: not known, so not scored; what torch's losses ignore


@dataclass(frozen=True, slots=True)
class Discrete:
    """Integers in [0, size); with ``time`` one a step, else one a row.

    ``encoder`` is the JSON of a pretrained encoder's configuration, where one makes vectors of them.
    """

    size: int
    time: bool = True
    encoder: str | None = None


@dataclass(frozen=True, slots=True)
class Continuous:
    """float32 vectors of ``width``; with ``time`` one a step, else one a row."""

    width: int
    time: bool = True


Spec = Discrete | Continuous


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded to the right.

    Shape:
        inputs: per column (B, T) int64 or (B, T, W) float32; without time (B,) or (B, W).
        lengths: (B,) int64, the real steps of each row. What lies beyond is never read.
        target: as the task asks; ``None`` when there is only something to answer. In float targets NaN, in integer
            targets `MISSING`, marks a value that is missing and not scored.
        target_lengths: (B,) int64, the real steps of a target that is a sequence of its own; else ``None``.
        rows: (B,) int64, the example that each row comes from.
        scored: (B,) int64, the first step whose loss counts; the steps before it are context. ``None``: all count.
        fresh: (B,) bool, True where a row starts a new sequence, False where it goes on from the state that the same
            lane had after the batch before. ``None``: every row is a new sequence.
        scale: (B, 2, C) float32, the mean and deviation by which a window's inputs are scaled beyond all others; or
            ``None``.
    """

    inputs: dict[str, Tensor]
    lengths: Tensor
    rows: Tensor
    target: Tensor | None = None
    target_lengths: Tensor | None = None
    scored: Tensor | None = None
    fresh: Tensor | None = None
    scale: Tensor | None = None

    def to(self, device: str) -> Batch:
        """The same batch on ``device``."""
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "inputs"}
        moved = {name: tensor if tensor is None else tensor.to(device) for name, tensor in moved.items()}
        return replace(self, inputs={name: tensor.to(device) for name, tensor in self.inputs.items()}, **moved)
