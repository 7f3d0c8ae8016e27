"""``unrolled inspect``: what a trained model remembers, which of its gates are stuck, and where it is most wrong."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from unrolled.cli.output import Told, emit, note, number, table
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress

if TYPE_CHECKING:
    from unrolled.runs.inspecting import Inspection

__all__ = ["inspect"]

_WIDTH, _INDENT, _CELL = 110, 13, 24  # characters


def inspect(
    run: str,
    file: str | None = None,
    /,
    *,
    row: int = 0,
    steps: str | None = None,
    told: Told | None = None,
) -> None:
    """Say what a trained model remembers, how much context helps it, which gates are stuck, and where it errs.

    Each verdict is a sentence with a number and what to do. The last one proves that the gates that were looked at are
    those of the model.

    Args:
        run: The run directory that fit wrote.
        file: Data with the columns of the training data, best with the target; - for stdin. Default: the validation
            split of the run.
        row: Row whose steps are looked at one by one, from 0.
        steps: Steps of this row to look at, such as 0:200, from 0 and without the last. Default: the first 1000.
    """
    told = told or Told()
    from unrolled import api

    wanted = _steps(steps)
    trained = api.load(run)
    with Progress(quiet=told.quiet):
        found = api.inspect(trained, file, row=row, steps=wanted)
    if told.json:
        emit({"run": run, "file": file, **found.to_json()})
        return
    for line in found.notes:
        note(f"note: {line}", quiet=told.quiet)
    print(_page(found))


def _steps(asked: str | None) -> slice | None:
    """``A:B``, of which either may be left out."""
    if asked is None:
        return None
    found = re.fullmatch(r"([0-9]*):([0-9]*)", asked)
    if found is None:
        raise UsageError(f"--steps takes two numbers of steps, such as 0:200, not {asked!r}")
    start, stop = found.groups()
    return slice(int(start or 0), int(stop) if stop else None)


def _page(found: Inspection) -> str:
    lines = [f"{'on':<{_INDENT}}{found.data}"]
    for about, sentence in found.verdicts:
        lines += textwrap.wrap(sentence, _WIDTH, initial_indent=f"{about:<{_INDENT}}", subsequent_indent=" " * _INDENT)
    if found.worst:
        head = ["step", "loss", "came", "expected", "p", "after"]
        rows = [
            [
                f"{one.step:,}",
                number(one.loss),
                _cell(one.came),
                _cell(one.expected),
                number(one.chance),
                _cell(one.after),
            ]
            for one in found.worst
        ]
        lines += ["", table(head, rows)]
    return "\n".join(lines)


def _cell(value: object) -> str:
    """A value in a few characters; the end of a text is kept, and blanks can be seen."""
    if isinstance(value, float):
        return number(value)
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _CELL else f"…{text[1 - _CELL :]}"
