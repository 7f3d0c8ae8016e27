"""The step of a trained model as a program: from the data's own numbers and symbols to answers in its own units.

Axes: C channels, F flagged channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unrolled.batch import Discrete
from unrolled.data.encodings.facets import Channels, Flagged, Labels, Numbers, Text
from unrolled.data.forms.form import repeats_of
from unrolled.errors import UsageError, named
from unrolled.models.model import Model
from unrolled.program.instructions import Scale, Symbol
from unrolled.program.program import Program
from unrolled.tasks.task import Task

__all__ = ["NumberColumn", "Step", "SymbolColumn", "check_streams", "identifier", "names_of", "step_of"]


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers: its channels are ``numbers[place]`` and those after it."""

    name: str
    place: int
    channels: tuple[str, ...]
    encoding: Any


@dataclass(frozen=True, slots=True)
class SymbolColumn:
    """A column of symbols: ``symbols[place]`` is the id of one of ``names``."""

    name: str
    place: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A program with what it reads.

    Attributes:
        program: the step.
        numbers, symbols: its columns, in the order in which it takes them.
        opening: the symbol that every row begins with; ``None`` if rows have none.
        answers: names of what the symbol or label that is answered may be; empty where answers are numbers.
        early: the columns whose values are given some steps early, and how many.
    """

    program: Program
    numbers: tuple[NumberColumn, ...]
    symbols: tuple[SymbolColumn, ...]
    opening: int | None
    answers: tuple[str, ...]
    early: tuple[tuple[str, ...], int]


def check_streams(task: Task, network: Model) -> None:
    """Refuse a model that does not answer step by step.

    Raises:
        UsageError: it does not; says why.
    """
    if network.cannot_stream is not None:
        raise UsageError(f"only models that answer step by step can be exported to C: {network.cannot_stream}")
    coder = task.coder
    if coder.strands is not None:
        both = named("both_strands")
        raise UsageError(f"a model with {both} reads each sequence in both directions, so it cannot be exported to C")
    if coder.by_window:
        scaled = f"this model scales each window by all its steps ({named('scale')} window)"
        raise UsageError(f"{scaled}, so it cannot be exported to C")
    if repeats_of(coder.form) > 1:
        raise UsageError(f"the task {task.name!r} answers for whole rows only, so its models cannot be exported to C")


def step_of(task: Task, network: Model) -> Step:
    """The step of a model.

    Raises:
        UsageError: a column, a part of the model or the task has no form in C; says which, and what to do.
    """
    check_streams(task, network)
    program, coder = Program(), task.coder
    numbers: list[NumberColumn] = []
    symbols: list[SymbolColumn] = []
    for name, encoding in coder.inputs.items():
        if name in coder.sides:
            continue  # the network refuses them
        if isinstance(encoding.spec, Discrete):
            symbol = Symbol(len(symbols), encoding.spec.size)
            program.inputs[name] = symbol
            symbols.append(SymbolColumn(name, symbol.place, names_of(encoding)))
        elif isinstance(encoding, Numbers) and isinstance(encoding, Flagged):
            place = sum(len(column.channels) for column in numbers)
            joined = coder.joined if name == coder.target else ()
            own = encoding.channels if isinstance(encoding, Channels) else (name,)
            numbers.append(NumberColumn(name, place, tuple(joined or own), encoding))
            _scale(program, numbers[-1])
        else:
            raise UsageError(
                f"{name!r} is read as {encoding.kind}, which only this package can turn into numbers: choose other "
                f"{named('inputs')}, or another kind with {named('kinds')}"
            )
    outputs = network.write_step(program)
    task.write_answers(program, outputs)
    program.tidy()
    answer = coder.answer
    opening = answer.begin if coder.framed and isinstance(answer, Text) else None
    answers = names_of(answer) if isinstance(answer.spec, Discrete) else ()
    return Step(program, tuple(numbers), tuple(symbols), opening, answers, (tuple(coder.ahead), coder.horizon))


def _scale(program: Program, column: NumberColumn) -> None:
    encoding, channels = column.encoding, len(column.encoding.mean)
    flagged, width = tuple(encoding.flagged), encoding.spec.width
    name = identifier(column.name)
    into = program.local(f"{name}_scaled", width)
    timed = width > channels + len(flagged)
    since = program.state(f"{name}_since", len(flagged), -1.0) if timed else None
    mean, std = program.constant(f"{name}_mean", encoding.mean), program.constant(f"{name}_std", encoding.std)
    program.inputs[column.name] = into
    program.add(Scale(into, column.place, mean, std, flagged, since))


def names_of(encoding: Any) -> tuple[str, ...]:
    """What each id of a column of symbols stands for."""
    size = encoding.spec.size
    if isinstance(encoding, Labels):
        labels = tuple(str(label) for label in encoding.labels)
        return ("<unknown>", "<missing>")[: size - len(labels)] + labels
    special: dict[int | None, str] = {}
    if isinstance(encoding, Text):
        for one in encoding.never:
            special[one] = "<unknown>"
        special[encoding.begin], special[encoding.end] = "<begin>", "<end>"
    return tuple(special.get(one) or _decoded(encoding, one) for one in range(size))


def _decoded(encoding: Any, one: int) -> str:
    found = encoding.decode(np.array([one]))
    return str(found[0] if isinstance(found, list) and found else found)


def identifier(name: str) -> str:
    """``name`` as a part of a name in C.

    >>> identifier("3 Größe"), identifier("±")
    ('_3_Gr__e', '_')
    """
    text = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return text if text and not text[0].isdigit() else f"_{text}"
