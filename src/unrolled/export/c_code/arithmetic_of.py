"""A program that is worked out in Python, number by number as the exported code does it, but in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.cells.equations import parsed, worked_out
from unrolled.program.instructions import (
    Constant,
    Dot,
    Each,
    Embed,
    Gather,
    Hot,
    Instruction,
    Normalise,
    Push,
    Scale,
    Softmax,
    Sort,
    Source,
    Symbol,
    Vector,
)
from unrolled.program.program import Program

__all__ = ["Machine"]


class Machine:
    """Runs a program step by step.

    Args:
        program: the step.
        value: what a constant holds; by default what it is, and with other weights their rounded values.

    Attributes:
        outputs: what the last step answered.
    """

    def __init__(self, program: Program, value: Callable[[Constant], np.ndarray] | None = None) -> None:
        self._program = program
        self._steps = 0
        self._constants = {
            one.name: torch.from_numpy(one.values if value is None else value(one)) for one in program.constants
        }
        self._memory = {one.name: torch.zeros(one.size, dtype=torch.float64) for one in program.locals}
        for kept in program.kept:
            first = self._constants[kept.first.name] if isinstance(kept.first, Constant) else kept.first
            self._memory[kept.vector.name] = torch.zeros(kept.vector.size, dtype=torch.float64) + first
        count = sum(answer.size for answer in program.answers)
        self._memory["outputs"] = self.outputs = torch.zeros(count, dtype=torch.float64)
        self._trees = {
            id(one): {name: parsed(text) for name, text in one.equations.items()}
            for one in program.instructions
            if isinstance(one, Each)
        }

    def push(self, numbers: Sequence[float] | np.ndarray, symbols: Sequence[int]) -> np.ndarray:
        """One step: its answers."""
        self._steps += 1
        given = torch.tensor(np.asarray(numbers, np.float64)), symbols
        for instruction in self._program.instructions:
            self._do(instruction, *given)
        return self.outputs.numpy().copy()

    def _at(self, vector: Vector) -> Any:
        """The places of a vector in its memory."""
        if vector.stride == 1:
            return slice(vector.start, vector.start + vector.size)
        return vector.start + vector.stride * torch.arange(vector.size)

    def _read(self, source: Source) -> Any:
        if isinstance(source, Vector):
            return self._memory[source.name][self._at(source)].clone()
        if isinstance(source, Constant):
            return self._constants[source.name]
        if isinstance(source, Dot):
            y = self._constants[source.weight.name] @ self._read(source.of)
            return y if source.bias is None else y + self._constants[source.bias.name]
        return torch.tensor(source, dtype=torch.float64)

    def _write(self, vector: Vector, values: Any) -> None:
        self._memory[vector.name][self._at(vector)] = values

    def _do(self, instruction: Instruction, numbers: Tensor, symbols: Sequence[int]) -> None:
        match instruction:
            case Each():
                self._each(instruction)
            case Scale():
                self._scale(instruction, numbers)
            case Embed(into=into, table=table, symbol=symbol):
                self._write(into, self._constants[table.name][_id(symbol, symbols)])
            case Hot(into=into, symbol=symbol):
                self._write(into, torch.eye(into.size, dtype=torch.float64)[_id(symbol, symbols)])
            case Push(register=register, of=of, repeat=repeat):
                new = self._read(of)
                if repeat and self._steps == 1:
                    self._write(register, new.repeat(register.size // of.size))
                else:
                    self._write(register, torch.cat([self._read(register)[of.size :], new]))
            case Gather(into=into, of=of, count=count, width=width, apart=apart, wrap=wrap):
                starts = torch.arange(count) % (wrap or count) * apart
                self._write(into, self._read(of)[(starts[:, None] + torch.arange(width)).flatten()])
            case Normalise(into=into, epsilon=epsilon):
                v = self._read(into)
                self._write(into, (v - v.mean()) / (v.var(correction=0) + epsilon).sqrt())
            case Softmax(into=into):
                self._write(into, self._read(into).softmax(0))
            case Sort(into=into, width=width):
                self._write(into, self._read(into).view(-1, width).sort(1).values.flatten())

    def _each(self, instruction: Each) -> None:
        values: dict[str, Any] = {name: self._read(source) for name, source in instruction.values.items()}
        values["steps"] = torch.tensor(float(self._steps), dtype=torch.float64)
        for name, tree in self._trees[id(instruction)].items():
            found = worked_out(tree, values)
            values[name] = found if isinstance(found, Tensor) else torch.tensor(found, dtype=torch.float64)
            if name in instruction.into:
                self._write(instruction.into[name], values[name])

    def _scale(self, instruction: Scale, numbers: Tensor) -> None:
        mean, std = (self._constants[one.name] for one in (instruction.mean, instruction.std))
        given = numbers[instruction.place : instruction.place + len(mean)]
        gone = ~given.isfinite()
        flags = gone[list(instruction.flagged)].double()
        found = [torch.where(gone, 0.0, (given - mean) / std), flags]
        if instruction.since is not None:
            since = flags * (self._read(instruction.since) + 1)
            self._write(instruction.since, since)
            found.append(since.log1p())
        self._write(instruction.into, torch.cat(found))


def _id(symbol: Symbol, symbols: Sequence[int]) -> int:
    """The id of a symbol; one that is out of range is 0."""
    found = symbols[symbol.place]
    return found if 0 <= found < symbol.size else 0
