"""Batches, which are what a model reads, and the forms of a column: discrete, continuous and spelled.

Axes: B rows, T steps, S steps of a side sequence, W width, L letters of a word.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

__all__ = ["MISSING", "Batch", "Continuous", "Discrete", "Side", "Spec", "Spelled", "lengths_of", "letters_of"]

MISSING = -100  # marks missing integer targets, which are not scored; the default ``ignore_index`` of torch losses


@dataclass(frozen=True, slots=True)
class Side:
    """A side sequence: a row's second sequence, with its own number of steps, such as a title beside a body.

    Attributes:
        axis: its name. Columns with the same one have the same steps.
        ordered: False for a set, whose steps have no order.
    """

    axis: str
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Discrete:
    """A column of integers in [0, size): one for each step with ``time``, else one for each row.

    ``encoder`` is the configuration, in JSON, of the pretrained encoder that embeds them, if any. A column of a side
    sequence has ``side``, and no ``time``: it has one value for each step of that sequence. The last ``appended`` of
    the integers came after the first training (``more``); the width of an embedding does not depend on them.
    """

    size: int
    time: bool = True
    encoder: str | None = None
    side: Side | None = None
    appended: int = 0


@dataclass(frozen=True, slots=True)
class Continuous:
    """A column of float32 vectors of ``width``: one for each step with ``time``, else one for each row.

    A column of a side sequence has ``side``, and no ``time``.
    """

    width: int
    time: bool = True
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Spelled:
    """The letters of the words of a `Discrete` column: ``width`` integers in [0, size) for each word.

    0 is padding behind a shorter word, and 1 a letter that is not known. It has the steps of the column ``of``, and its
    name is `letters_of` that column.
    """

    size: int
    width: int
    of: str
    time: bool = True
    side: Side | None = None


Spec = Discrete | Continuous | Spelled


def lengths_of(axis: str) -> str:
    r"""The name under which ``inputs`` hold the lengths of the side sequence ``axis``; no column of a file has it.

    Example:
        >>> lengths_of("title")
        'title\x00lengths'
    """
    return f"{axis}\0lengths"


def letters_of(column: str) -> str:
    r"""The name under which ``inputs`` hold the letters of the words of ``column``; no column of a file has it.

    Example:
        >>> letters_of("text")
        'text\x00letters'
    """
    return f"{column}\0letters"


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded to the right.

    Shape:
        inputs: per column (B, T) int64 or (B, T, W) float32; without time (B,) or (B, W). A column of a side sequence
            is (B, S) or (B, S, W), and `lengths_of` its axis is (B,) int64, the real steps of each row. The letters of
            words are (B, T, L) or (B, S, L) int64.
        lengths: (B,) int64, the number of real steps in each row. Padding is never read.
        target: its shape depends on the task; ``None`` for predictions. NaN in float targets, and `MISSING` in integer
            targets, marks a missing value, which is not scored.
        target_lengths: (B,) int64, the real steps of a target with its own length; else ``None``.
        rows: (B,) int64, the example that each row comes from.
        scored: (B,) int64, the first step whose loss counts; the steps before it are context. ``None``: all count.
        fresh: (B,) bool, True where a row starts a new sequence, False where it continues from the state that the
            same lane had after the previous batch. ``None``: every row is a new sequence.
        naive: (rows, C) float64, of every row of the split, what the error of its forecasts is divided by; or ``None``.
        scale: (B, 2, C) float32, the mean and standard deviation with which each window is additionally scaled; or
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
    naive: Tensor | None = None

    def only(self, rows: slice | Tensor) -> Batch:
        """Some of its rows: a slice, a mask (B,) or their numbers (N,), also again and again."""
        names = ("lengths", "rows", "target", "target_lengths", "scored", "fresh", "scale")
        held = {name: getattr(self, name) for name in names}
        cut: dict[str, Any] = {name: None if value is None else value[rows] for name, value in held.items()}
        return replace(self, inputs={name: value[rows] for name, value in self.inputs.items()}, **cut)

    def to(self, device: str) -> Batch:
        """The same batch on ``device``."""
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "inputs"}
        moved = {name: tensor if tensor is None else tensor.to(device) for name, tensor in moved.items()}
        return replace(self, inputs={name: tensor.to(device) for name, tensor in self.inputs.items()}, **moved)
