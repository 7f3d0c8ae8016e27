"""What one answer of an inspected row rests on, and which heads of attention matter to its rows."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Windows
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, named
from unrolled.inspection.attribute import Attribution
from unrolled.inspection.heads import Heads, heads_of
from unrolled.inspection.trace import Trace
from unrolled.runs.traced_rows import TracedRow
from unrolled.runs.trained import Trained
from unrolled.tasks.task import Task
from unrolled.views.looked import Looked, steps_of

__all__ = ["explained", "tested_heads"]

_STEPS = 1_000  # of all rows together, in which heads are made uniform
_ROWS = 64
_SCORES, _LEAST = 1 << 26, 64  # scores of all answers together; answers that are asked in any case


def explained(task: Task, found: TracedRow, loss: Tensor | None, step: int | None) -> Attribution | str:
    """What one answer of a row rests on, by occlusion; or why that is not known.

    Args:
        task: what the model is asked.
        found: the row.
        loss: of the steps asked for, if they have one.
        step: which answer, or which written symbol; ``None``: the one with the highest loss, or the last.

    Raises:
        UsageError: the step is none of those asked for, or there is one answer for the row.
    """
    (first, stop), trace = found.asked, found.trace
    if step is not None and not task.coder.form.writes and not first <= step < stop:
        raise UsageError(f"{named('why')} {step} is none of the steps that were looked at, {first:,} to {stop - 1:,}")
    if step is None and loss is not None and len(loss):
        # The answer at the row's first step rests on that step only, so that there is nothing to compare.
        begin = int(first == 0 and len(loss) > 1)
        step = first + begin + int(loss[begin:].nan_to_num().argmax())
    try:
        why = trace.attribute(-1 if step is None else step - found.start)
    except (UsageError, DataError) as error:
        if step is not None and loss is None:
            raise
        return f"not measured: {error}"
    return why.within(found.start, steps_of(Looked(task, trace, found.start)))


def tested_heads(trained: Trained, part: Sequences, row: int, trace: Trace) -> Heads | str:
    """The heads of the row ``row`` and of the rows after it, up to 64 rows and about 1 000 steps; or why none.

    Args:
        trained, part, row: the model, the data and where to begin.
        trace: of the row; where it shows no attention, the model has none, and there is nothing to say: "".
    """
    if not any(path.rpartition(".")[2] == "attention" for path in (*trace.values, *trace.dropped)):
        return ""
    try:
        batch = _judged(trained, part.take(np.arange(row, min(len(part), row + _ROWS))))
        return heads_of(trained.network, trained.task, batch)
    except (UsageError, DataError) as error:
        return f"not measured: {error}"


def _judged(trained: Trained, part: Sequences) -> Batch:
    """Rows with their targets in one batch."""
    task, examples = trained.task, trained.encode(part, target=True)
    steps = min(_STEPS, max(_LEAST, _SCORES // task.outputs))  # of very many items fewer answers are scored
    if examples.horizon:
        rows, ends = examples.window_ends()
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(np.int64))
        rows, ends, longest = rows[chosen], ends[chosen], task.batching.lookback
    else:
        ends = examples.form.plans.questions(examples.steps())
        if examples.form.plans.cuts and trained.network.causal:
            ends = np.minimum(ends, steps)
        rows = np.flatnonzero((ends > 0) & (ends.cumsum() - ends < steps))
        ends, longest = ends[rows], int(ends[rows].max(initial=1))
    if not len(rows):
        raise DataError("no row has an answer to measure")
    return Loader(examples, Windows(rows, ends, longest, len(rows)))[0]
