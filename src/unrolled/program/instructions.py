"""The instructions of a step, and what they read: vectors of a fixed size, constants, and products of the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

__all__ = [
    "Constant",
    "Dot",
    "Each",
    "Embed",
    "Gather",
    "Hot",
    "Instruction",
    "Normalise",
    "Push",
    "Scale",
    "Softmax",
    "Sort",
    "Source",
    "Symbol",
    "Vector",
    "read_by",
    "written_by",
]


@dataclass(frozen=True, slots=True)
class Vector:
    """Numbers in memory, or some of them.

    Attributes:
        name: of the memory.
        size: how many numbers.
        start: the place of the first one.
        stride: how far the next one lies; 0: the same number each time.
        kept: it is part of the state, so the next step finds it as this one leaves it.
        exact: float64, not float32.
    """

    name: str
    size: int
    start: int = 0
    stride: int = 1
    kept: bool = False
    exact: bool = False

    def part(self, start: int, size: int, stride: int = 1) -> Vector:
        """``size`` of its numbers from ``start``, ``stride`` apart."""
        return replace(self, start=self.start + start * self.stride, size=size, stride=self.stride * stride)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol that the step reads, as its id.

    Attributes:
        place: its number among the symbols of a step.
        size: how many ids there are.
    """

    place: int
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Numbers that are known before the first step.

    Attributes:
        name: such as ``layer1_x_i``.
        values: (N,) or, for weights, (N, M) float64.
    """

    name: str
    values: np.ndarray

    @property
    def is_weight(self) -> bool:
        """Whether it is a matrix, which may be stored in fewer bits."""
        return self.values.ndim == 2


@dataclass(frozen=True, slots=True)
class Dot:
    """W x + b: one number for each row of W.

    Attributes:
        weight: W, (N, M).
        of: x, M numbers.
        bias: b, (N,); ``None``: 0.
        exact: summed in float64.
    """

    weight: Constant
    of: Vector
    bias: Constant | None = None
    exact: bool = False


Source = Vector | Constant | Dot | float


@dataclass(frozen=True, slots=True)
class Each:
    """Equations that are worked out for each of N units by itself.

    Attributes:
        size: N.
        equations: name -> equation (see `unrolled.inspection.equations`), in order; each may use those before it.
        values: name -> where unit k finds its number.
        into: name -> where unit k leaves it; written when it is worked out.
    """

    size: int
    equations: Mapping[str, str]
    values: Mapping[str, Source]
    into: Mapping[str, Vector]


@dataclass(frozen=True, slots=True)
class Scale:
    """A column of numbers as the model reads them: standardised, with flags of those that are missing.

    Missing is what is not finite, or too far away for float32. It becomes 0, the mean.

    Attributes:
        into: C values, then F flags, then, with ``since``, F times log(1 + the steps since a value was known).
        place: of the first channel among the numbers of a step.
        mean, std: (C,).
        flagged: the F channels that have a flag.
        since: (F,) the steps since a value was known, -1 before the first step; ``None``: not read.
    """

    into: Vector
    place: int
    mean: Constant
    std: Constant
    flagged: tuple[int, ...]
    since: Vector | None


@dataclass(frozen=True, slots=True)
class Embed:
    """The row of ``table`` (K, W) that belongs to a symbol."""

    into: Vector
    table: Constant
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Hot:
    """1 at the id of a symbol, 0 elsewhere."""

    into: Vector
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Push:
    """Forget the oldest numbers of ``register``, and append the same number of new ones: ``of``.

    With ``repeat`` the first step fills the whole register with copies of ``of``.
    """

    register: Vector
    of: Vector
    repeat: bool = False


@dataclass(frozen=True, slots=True)
class Gather:
    """``count`` runs of ``width`` numbers that lie ``apart`` in ``of``, one after another in ``into``.

    With ``wrap`` the run after that many is the first one again.
    """

    into: Vector
    of: Vector
    count: int
    width: int
    apart: int
    wrap: int = 0


@dataclass(frozen=True, slots=True)
class Normalise:
    """v ← (v - mean(v)) / √(var(v) + ε), in float64."""

    into: Vector
    epsilon: float


@dataclass(frozen=True, slots=True)
class Softmax:
    """v ← exp(v) / Σ exp(v)."""

    into: Vector


@dataclass(frozen=True, slots=True)
class Sort:
    """Sort each run of ``width`` numbers, the smallest first."""

    into: Vector
    width: int


Instruction = Each | Scale | Embed | Hot | Push | Gather | Normalise | Softmax | Sort


def written_by(instruction: Instruction) -> set[str]:
    """The names of the memory that an instruction writes."""
    match instruction:
        case Each(into=into):
            return {vector.name for vector in into.values()}
        case Push(register=register):
            return {register.name}
        case Scale(into=vector, since=Vector(name=name)):
            return {vector.name, name}
    return {instruction.into.name}


def read_by(instruction: Instruction) -> set[str]:
    """The names of the memory and of the constants that an instruction needs, where it writes only some numbers too."""
    match instruction:
        case Each(values=values):
            return written_by(instruction).union(*map(_read, values.values()))
        case Scale(mean=mean, std=std):
            return written_by(instruction) | {mean.name, std.name}
        case Embed(into=into, table=table):
            return {into.name, table.name}
        case Push(register=one, of=other) | Gather(into=one, of=other):
            return {one.name, other.name}
    return {instruction.into.name}


def _read(source: Source) -> set[str]:
    match source:
        case Dot(weight=weight, of=of, bias=bias):
            return {weight.name, of.name} | (set() if bias is None else {bias.name})
        case Vector(name=name) | Constant(name=name):
            return {name}
    return set()
