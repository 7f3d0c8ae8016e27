"""One step of a model as a program: what it reads, the memory that it keeps, and its instructions in order.

Each part of a model writes its own instructions, so that an exporter knows none of them. Sizes are fixed, and there is
one row; nothing depends on how many steps came before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from unrolled.errors import ModelError
from unrolled.program.instructions import (
    Constant,
    Dot,
    Each,
    Gather,
    Instruction,
    Source,
    Symbol,
    Vector,
    read_by,
    written_by,
)

__all__ = ["Answer", "Kept", "Program"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A part of the state, and what its numbers are before the first step."""

    vector: Vector
    first: float | Constant


@dataclass(frozen=True, slots=True)
class Answer:
    """Some of the numbers that a step answers with.

    Attributes:
        name: what they are, such as ``load_predicted``.
        place: of the first one among the answers.
        size: how many there are.
        meaning: what they are, in words, with their unit.
        chances: they are the probabilities of one choice, of which the task's own columns hold only the largest.
    """

    name: str
    place: int
    size: int
    meaning: str
    chances: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """How one label is chosen from probabilities: the largest, or of two labels the ``rare`` one from ``least`` on."""

    rare: int | None = None
    least: float = 0.5


class Program:
    """One step, written part by part.

    Attributes:
        inputs: column -> what the model reads of it: encoded numbers, or a symbol.
        kept: the state, in order. ``steps``, the number of steps so far with this one, is always there.
        locals: the memory that a step needs while it runs.
        constants: weights and other numbers.
        instructions: in order.
        answers: what the step answers with.
        choice: how a label is chosen from the first answer; ``None`` where answers are no labels.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, Vector | Symbol] = {}
        self.kept: list[Kept] = []
        self.locals: list[Vector] = []
        self.constants: list[Constant] = []
        self.instructions: list[Instruction] = []
        self.answers: list[Answer] = []
        self.choice: Choice | None = None
        self._names: set[str] = set()

    def state(self, name: str, size: int, first: Any = 0.0) -> Vector:
        """A new part of the state, which is ``first`` at the beginning: one number for all, or (size,)."""
        vector = Vector(self._new(name), size, kept=True)
        values = np.broadcast_to(np.asarray(first, np.float64), size)
        alike = bool((values == values[0]).all())
        self.kept.append(Kept(vector, float(values[0]) if alike else self.constant(f"{name}_first", values)))
        return vector

    def local(self, name: str, size: int, *, exact: bool = False) -> Vector:
        """New memory that is undefined when a step begins."""
        vector = Vector(self._new(name), size, exact=exact)
        self.locals.append(vector)
        return vector

    def constant(self, name: str, values: Any) -> Constant:
        """Numbers that are known now: (N,), or weights (N, M).

        Raises:
            ModelError: one is not finite.
        """
        values = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
        constant = Constant(self._new(name), np.ascontiguousarray(values, np.float64))
        if not np.isfinite(constant.values).all():
            raise ModelError(f"this model has weights that are not finite ({name}), so it cannot be exported")
        self.constants.append(constant)
        return constant

    def dot(self, name: str, weight: Any, bias: Any, of: Vector, *, exact: bool = False) -> Dot | Constant | float:
        """W x + b. What is 0 throughout is left out: without W it is b, and without both 0.0.

        Args:
            name: what the constants are called.
            weight, bias: W (N, M) and b (N,), or ``None``.
            of: x.
            exact: sum in float64.
        """
        weight, bias = (None if one is None or not one.any() else one for one in (weight, bias))
        shift = None if bias is None else self.constant(f"{name}_bias", bias)
        if weight is None:
            return 0.0 if shift is None else shift
        return Dot(self.constant(name, weight), of, shift, exact)

    def add(self, instruction: Instruction) -> None:
        """Append an instruction."""
        self.instructions.append(instruction)

    def each(
        self, equations: Mapping[str, str], values: Mapping[str, Source], into: Mapping[str, Vector], size: int
    ) -> None:
        """Work ``equations`` out for each of ``size`` units (see `Each`)."""
        used = {word for equation in equations.values() for word in re.findall(r"[A-Za-z_]\w*", equation)}
        self.add(Each(size, equations, {name: values[name] for name in values if name in used}, into))

    def linear(self, name: str, weight: Any, bias: Any, of: Vector, activation: str = "") -> Vector:
        """W x + b as new memory.

        Args:
            name: what the constants and the memory are called.
            weight, bias: W (N, M), and b (N,) or ``None``.
            of: x.
            activation: a function that each number goes through, such as ``relu``.
        """
        y = self.local(f"{name}_y", len(weight))
        self.each(
            {"y": f"{activation}(a)" if activation else "a"}, {"a": self.dot(name, weight, bias, of)}, {"y": y}, y.size
        )
        return y

    def copy(self, into: Vector, of: Vector) -> None:
        """Copy the numbers of ``of``."""
        self.add(Gather(into, of, 1, into.size, into.size))

    def joined(self, name: str, parts: Sequence[Vector]) -> Vector:
        """The numbers of all ``parts``, one after another."""
        if len(parts) == 1:
            return parts[0]
        whole, place = self.local(name, sum(part.size for part in parts)), 0
        for part in parts:
            self.copy(whole.part(place, part.size), part)
            place += part.size
        return whole

    def answer(self, name: str, size: int, meaning: str, *, chances: bool = False) -> Vector:
        """New numbers to answer with (see `Answer`); the caller writes them."""
        place = sum(answer.size for answer in self.answers)
        self.answers.append(Answer(name, place, size, meaning, chances))
        return Vector("outputs", size, place)

    def tidy(self) -> None:
        """Leave out whatever the answers do not need."""
        needed, before = {"outputs"}, -1
        while len(needed) != before:
            before = len(needed)
            for one in reversed(self.instructions):
                if needed & written_by(one):
                    needed |= read_by(one)
        self.instructions = [one for one in self.instructions if needed & written_by(one)]
        self.kept = [one for one in self.kept if one.vector.name in needed]
        needed |= {one.first.name for one in self.kept if isinstance(one.first, Constant)}
        self.locals = [one for one in self.locals if one.name in needed]
        self.constants = [one for one in self.constants if one.name in needed]

    def _new(self, name: str) -> str:
        """``name``, or with a number behind it where there is one of that name already."""
        found, number = name, 1
        while found in self._names:
            number += 1
            found = f"{name}_{number}"
        self._names.add(found)
        return found
