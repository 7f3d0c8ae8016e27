"""The rows that an inspection looks at: the data of a run, and traces of its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import UsageError, named
from unrolled.inspection.saturation import USED
from unrolled.inspection.trace import Keep, Trace, trace
from unrolled.runs.continuation import check_seen
from unrolled.runs.held_out import held_out_again
from unrolled.runs.pieces import first_rows, pieces_of
from unrolled.runs.predicting import is_judged, one_row
from unrolled.runs.trained import Trained

__all__ = ["TracedRow", "data_of", "traced_row", "traces_from"]

_STEPS = 1_000  # steps that are traced, and read before them
_MOST = 50_000  # rows of the data that are looked at, about
_ROWS = 32  # rows that are traced for their gates, where rows are short


def data_of(trained: Trained, data: Any, row: int, text: str | None = None) -> tuple[Sequences, str, tuple[str, ...]]:
    """The data, its name, and what the user should know about it.

    Args:
        trained, data, row, text: as for `inspect_run`.

    Raises:
        DataError: the data cannot be read; or none is given, and that of the run is gone or has changed.
        UsageError: no data is given, and the run held none out; or a text is, and the model reads something else.
    """
    if text is not None:
        return _of_text(trained, data, text), "the given text", ()
    if data is not None:
        part, more = first_rows(pieces_of(data, trained.config.data, trained.task), max(_MOST, row + _ROWS))
        note = (f"only the first {len(part):,} rows of {part.origin} were looked at",) if more else ()
        return part, str(part.origin), note
    run, instead = str(trained.folder or "the model"), "give the data to inspect it on"
    splits = held_out_again(trained.config, run, instead)
    if not splits:
        raise UsageError(f"{run} held nothing out, so there is no data to inspect it on: {instead}")
    name, part = next(iter(splits.items()))
    learned = name == "valid" and trained.findings.refit is not None
    note = ("the model learned from this split too while its learning rate fell",) if learned else ()
    return part, f"its own {name} split", note


def _of_text(trained: Trained, data: Any, text: str) -> Sequences:
    if data is not None:
        raise UsageError(f"give either data or {named('text')}, not both")
    read = list(trained.task.coder.inputs.values())
    if len(read) != 1 or not isinstance(read[0], Text):
        columns = ", ".join(trained.task.coder.inputs)
        raise UsageError(f"{named('text')} only works with a model that reads one text; this one reads {columns}")
    check_seen(read[0], text, "the text")
    return trained.read([text])


class TracedRow(NamedTuple):
    """A traced row.

    Attributes:
        trace: what was computed.
        start: the number of the first traced step.
        asked: the first step that was asked for, and the one after the last.
        examples: the whole row as numbers.
    """

    trace: Trace
    start: int
    asked: tuple[int, int]
    examples: Examples


def traced_row(trained: Trained, part: Sequences, row: int, steps: slice | None, keep: Keep = None) -> TracedRow:
    """Trace one row.

    Args:
        trained, row, steps: as for `inspect_run`.
        part: the data.
        keep: as for `trace`.

    Raises:
        UsageError: there is no such row or step.
    """
    one = one_row(part, row)
    task, network, form = trained.task, trained.network, trained.task.coder.form
    by_step = not task.pooled and not form.own_length and (form.predicts_next or not form.continues)
    if not by_step:
        if steps is not None:
            raise UsageError(f"{named('steps')} only works with an answer for each step; this model has none")
        found = replace(trained.trace(one, keep=keep), loss=None)
        return TracedRow(found, 0, (0, found.steps), trained.encode(one, target=False))
    examples = trained.encode(one, target=form.continues or is_judged(one, task))
    count = form.plans.questions
    length = int(count(examples.steps())[0])
    first = 0 if examples.first is None else int(count(examples.first)[0])
    asked = range(length)[slice(first, first + _STEPS) if steps is None else steps]
    if (not asked and length) or asked.step != 1:
        assert steps is not None
        raise UsageError(f"{named('steps')} names no steps of row {row}, which has the steps 0 to {length - 1:,}")
    start, stop = (max(0, asked.start - _STEPS), asked.stop) if network.causal else (0, length)
    batch = Loader(examples, Windows(np.array([0]), np.array([stop]), stop - start, 1))[0]
    return TracedRow(trace(network, task, batch, keep=keep), start, (asked.start, asked.stop), examples)


def _of_cells(path: str) -> bool:
    """Whether a value is one of those that a verdict over several rows is about."""
    return path.rpartition(".")[2] in USED


def traces_from(trained: Trained, part: Sequences, first: TracedRow, row: int) -> list[Trace]:
    """The trace of the row ``row``, and of the rows after it until 1 000 steps were read."""
    traces = [first.trace]
    for other in range(row + 1, min(len(part), row + _ROWS)):
        if sum(each.steps for each in traces) >= _STEPS:
            break
        traces.append(traced_row(trained, part, other, None, _of_cells).trace)
    return traces
