"""C: one step of a model as plain C99, for microcontrollers and for programs that take no runtime along."""

from __future__ import annotations

import numpy as np

from unrolled.config import Part, option
from unrolled.errors import ModelError
from unrolled.export._smaller import measured, rounded
from unrolled.export.c_code import files
from unrolled.export.c_code.arithmetic_of import Machine
from unrolled.export.c_code.constants import NARROWEST, Storage
from unrolled.export.c_code.header_and_code import Unit, code, header, sized
from unrolled.export.c_code.replay import STEPS, Tried, answered, tried
from unrolled.export.c_code.step_of import Step, identifier, step_of
from unrolled.export.exporter import Exporter, Subject

__all__ = ["C"]

_WRONG = 1e-3  # of the program to the session: far more than rounding after one step, far less than a wrong equation
_ROUNDING = 3e-6  # less than `make check` allows
_ROWS = (STEPS, 50, 10, 3, 1)  # steps after which the check begins a new row, for models that enlarge their rounding


class C(Exporter):
    """Writes one ``.c`` and ``.h`` that step a recurrent model, and what builds, tries and checks them."""

    class Options(Part):
        """What may be chosen of an export to C."""

        name: str | None = option(
            None,
            "What the files and functions in C are called. Default: as the run.",
            pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
            examples=("load", "wake_word"),
        )
        quantise: str | None = option(
            None,
            "Store weights in fewer bits: int8. Default: as they were trained.",
            pattern=r"^int8$",
            examples=("int8",),
            also=("quantize", "quantization", "dtype", "precision"),
        )
        tolerate: float = option(
            0.01, "How much worse smaller weights may make the measure that chose them, as a share of it.", ge=0, le=1
        )
        tables: bool = option(False, "Write the names of symbols and labels into the C as texts.")

    def __init__(self, options: C.Options) -> None:
        self.options, self.notes = options, list[str]()

    def files(self, subject: Subject) -> dict[str, bytes]:
        task, network, own = subject.task, subject.network, self.options
        step, storage = step_of(task, network), Storage(own.quantise is not None)
        costs: list[str] = []
        name = own.name or identifier(subject.name.lower())
        title = f"{task.name} of {task.coder.target}, {network.title}"
        steps = tried(step)
        right, row = _answers(subject, step, steps)
        if storage.small:
            smaller = rounded(network, "int8", fewest=0, narrowest=NARROWEST)
            costs = ["", "## int8", "", measured(subject, smaller, "int8", own.tolerate)]
            step = step_of(task, smaller)
            found = _worked_out(step, steps, storage, row)
            costs += _lost(found, right, step)
            right = found
            self.notes += costs[3:]
        unit = Unit(name, title, step, storage, own.tables)
        cost = sized(unit)
        self.notes.append(
            f"{cost.weights:,} bytes of constants, {cost.state:,} of state, {cost.products:,} multiply-adds a step"
        )
        written = {
            f"{name}.h": header(unit),
            f"{name}.c": code(unit),
            "example.c": files.example(unit),
            "check.c": files.check(unit, row),
            "expected.txt": files.expected(steps, right),
            "Makefile": files.makefile(name),
            "README.md": files.readme(unit, row, costs),
        }
        if step.symbols or step.answers:
            written["names.txt"] = files.names(step)
        return {file: text.encode() for file, text in written.items()}


def _answers(subject: Subject, step: Step, steps: list[Tried]) -> tuple[np.ndarray, int]:
    """(T, O) the answers of the session, and after how many steps a new row begins.

    It is as long as the rounding of float32 stays small: a chaotic model enlarges it from step to step, so that no two
    programs agree for long.

    Raises:
        ModelError: the program is another model.
    """
    for row in _ROWS:
        right = answered(subject.task, subject.network, step, steps, row)
        off = _apart(_worked_out(step, steps, Storage(False), row), right)
        if off <= _ROUNDING:
            break
    if off > _WRONG:
        raise ModelError(
            f"the equations of this model do not give its answers (they differ by {off:.2g}), so it is not exported"
        )
    return right, row


def _worked_out(step: Step, steps: list[Tried], storage: Storage, row: int) -> np.ndarray:
    """(T, O) the answers of the program, in rows of so many steps."""
    if len(steps) > row:
        rows = (steps[start : start + row] for start in range(0, len(steps), row))
        return np.concatenate([_worked_out(step, one, storage, row) for one in rows])
    machine = Machine(step.program, storage.value)
    if step.opening is not None:
        machine.push([], [step.opening])
    return np.stack([machine.push(one.numbers, one.symbols) for one in steps])


def _apart(found: np.ndarray, right: np.ndarray) -> float:
    """The largest difference, relative to the largest answer of a step, or to 1 where that is more."""
    return float((np.abs(found - right).max(1) / np.maximum(1, np.abs(right).max(1))).max())


def _lost(rounded: np.ndarray, right: np.ndarray, step: Step) -> list[str]:
    """What int8 weights change, in sentences."""
    largest, spread = np.abs(rounded - right).max(), float(right.std(0).mean())
    if step.program.choice is None:
        off = float(np.sqrt(np.square(rounded - right).mean()))
        said = f"of {largest:.3g} at most and {off:.3g} typically; the answers themselves vary by {spread:.3g}"
    else:
        same = float((rounded.argmax(1) == right.argmax(1)).mean())
        said = f"of {largest:.3g} at most in a probability; the likeliest value is the same in {same:.1%} of the steps"
    return [
        f"Over the steps of the check this changes the answers by differences {said}.",
        "The answers in expected.txt are those of the rounded weights.",
    ]


MEMBER = C
