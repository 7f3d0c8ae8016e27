"""Inspect a run: how far back it reaches, how much context helps, which gates are stuck, and where it is most wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Text
from unrolled.data.plans.windows import Windows
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, named
from unrolled.inspection.context import Context, context_curve
from unrolled.inspection.memory_horizon import Horizon, asked_of, memory_horizon
from unrolled.inspection.saturation import USED, Saturation, saturation
from unrolled.inspection.trace import Trace, one_step, trace
from unrolled.runs.held_out import held_out_again
from unrolled.runs.predicting import PREDICTED, is_judged, one_row
from unrolled.runs.trained import Trained
from unrolled.tasks.task import Task
from unrolled.training.plans import window

__all__ = ["Inspection", "WorstStep", "inspect_run"]

_STEPS = 1_000  # steps that are traced, and read before them
_ROWS = 32  # rows that are traced for their gates, where rows are short
_WORST = 5
_BEFORE = 20  # symbols that are shown before a step
_CLOSE = 1e-5
_END = "<end>"  # as tasks write it

_Measured = TypeVar("_Measured", Horizon, Context)


@dataclass(frozen=True, slots=True)
class WorstStep:
    """A step with one of the highest losses.

    Attributes:
        step: its number in the row, from 0; a text begins with ``<begin>`` where rows are framed.
        loss: in the unit of the model's loss.
        came, expected: the target, and the model's answer.
        chance: the probability of that answer; ``None`` where there is none.
        after: the end of the text that was read up to this step; empty for other data.
    """

    step: int
    loss: float
    came: Any
    expected: Any
    chance: float | None
    after: str


@dataclass(frozen=True, slots=True, repr=False)
class Inspection:
    """What there is to say about a model on some data. ``print`` shows the verdicts.

    Attributes:
        data: what it was inspected on.
        row: the row whose steps were looked at one by one, from 0.
        steps: the first of these steps, and the one after the last.
        reach, context: the memory horizon and the context curve; or a sentence that says why there is none.
        gates: the gates of this row, and of the rows after it until 1 000 steps were read.
        loss: the mean loss of these steps; ``None`` where a single step has none.
        worst: the five steps with the highest loss, the highest first.
        trace: the row's gates and states, all of which are those of the ordinary run up to ``trace.difference``.
        notes: what the user should know about the data.
    """

    data: str
    row: int
    steps: tuple[int, int]
    reach: Horizon | str
    context: Context | str
    gates: Saturation
    loss: float | None
    worst: tuple[WorstStep, ...]
    trace: Trace
    notes: tuple[str, ...] = ()

    @property
    def verdicts(self) -> tuple[tuple[str, str], ...]:
        """(what about, a sentence with its number and what to do)."""
        reach, context = (one if isinstance(one, str) else one.sentence for one in (self.reach, self.context))
        return (
            ("reach", reach),
            ("context", context),
            *(("gates", sentence) for sentence in self.gates.verdicts),
            ("worst steps", self._of_steps()),
            ("proof", self._proof()),
        )

    def _of_steps(self) -> str:
        if self.loss is None:
            return f"none: a single step has no loss here; unrolled evaluate --worst {_WORST} lists the worst rows"
        start, stop = self.steps
        return f"row {self.row}, steps {start:,} to {stop - 1:,}: the mean loss is {self.loss:.3g}"

    def _proof(self) -> str:
        difference = self.trace.difference
        if math.isnan(difference):
            return "none: the outputs of this model cannot be compared number by number"
        said = f"the outputs of the traced run are within {difference:.1e} of those of the ordinary run"
        if difference <= _CLOSE:
            return said
        return f"{said}, which is more than rounding ({_CLOSE:g}): please report it"

    def __str__(self) -> str:
        return "\n".join(f"{about}: {sentence}" for about, sentence in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """All of it but the traced values, in names and numbers; what is not finite is ``None``."""
        difference = self.trace.difference
        return {
            "data": self.data,
            "row": self.row,
            "steps": list(self.steps),
            "verdicts": [{"about": about, "says": sentence} for about, sentence in self.verdicts],
            "reach": _numbers(self.reach),
            "context": _numbers(self.context),
            "gates": asdict(self.gates),
            "loss": self.loss,
            "worst": [asdict(one) for one in self.worst],
            "difference": None if math.isnan(difference) else difference,
            "notes": list(self.notes),
        }


def inspect_run(trained: Trained, data: Any = None, row: int = 0, steps: slice | None = None) -> Inspection:
    """Inspect a model.

    Args:
        trained: the model.
        data: a path or a table in memory. Default: the validation split of the run, else its test split.
        row: the row whose steps are looked at one by one, from 0.
        steps: which of its steps, where there is an answer for each; at most 1 000 steps before them are read first.
            Default: the first 1 000, in a split by time the first of that split.

    Raises:
        DataError: the data cannot be read; or none is given, and that of the run is gone or has changed.
        UsageError: there is no such row or step, or no data is given where the run held none out.

    Cost: 256 answers with 1 000 steps each, forward about four times and backward once, and the trace of a row.
    """
    part, name, notes = _data(trained, data)
    found = _traced(trained, one_row(part, row), row, steps)
    traces = [found.trace]
    for other in range(row + 1, min(len(part), row + _ROWS) if steps is None else 0):
        if sum(each.steps for each in traces) >= _STEPS:
            break
        traces.append(_traced(trained, one_row(part, other), other, None).trace)
    reach, context = _measured(trained, part)
    loss, (first, stop) = found.trace.loss, found.asked
    loss = None if loss is None else loss[first - found.start : stop - found.start]
    return Inspection(
        data=name,
        row=row,
        steps=found.asked,
        reach=reach,
        context=context,
        gates=saturation(traces),
        loss=None if loss is None or not len(loss) else float(loss.mean()),
        worst=() if loss is None else tuple(_worst(trained.task, found, loss)),
        trace=found.trace,
        notes=notes,
    )


def _data(trained: Trained, data: Any) -> tuple[Sequences, str, tuple[str, ...]]:
    """The data, its name, and what the user should know about it."""
    if data is not None:
        part = trained.read(data)
        return part, str(part.origin), ()
    run, instead = str(trained.folder or "the model"), "give the data to inspect it on"
    splits = held_out_again(trained.config, run, instead)
    if not splits:
        raise UsageError(f"{run} held nothing out, so there is no data to inspect it on: {instead}")
    name, part = next(iter(splits.items()))
    learned = name == "valid" and trained.findings.refit is not None
    note = ("it learned from this split too while its learning rate fell",) if learned else ()
    return part, f"its own {name} split", note


class _Row(NamedTuple):
    """A traced row: the number of the first traced step, and which steps were asked for."""

    trace: Trace
    batch: Batch | None
    start: int
    asked: tuple[int, int]


def _traced(trained: Trained, one: Sequences, row: int, steps: slice | None) -> _Row:
    task, network, form = trained.task, trained.network, trained.task.coder.form
    by_step = not task.pooled and not form.own_length and (form.predicts_next or not form.continues)
    if not by_step:
        if steps is not None:
            raise UsageError(f"{named('steps')} only works with an answer for each step; this model has none")
        found = replace(trained.trace(one, keep=_of_cells), loss=None)
        return _Row(found, None, 0, (0, found.steps))
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
    return _Row(trace(network, task, batch, keep=_of_cells), batch, start, (asked.start, asked.stop))


def _of_cells(path: str) -> bool:
    """Whether a value is one of those that a verdict is about; attention over long rows would fill the memory."""
    return path.rpartition(".")[2] in USED


def _measured(trained: Trained, part: Sequences) -> tuple[Horizon | str, Context | str]:
    """The horizon and the context curve, or why there is none."""
    coder = trained.task.coder
    try:
        if not coder.continues:
            coder.check_columns(part, with_target=True)
    except DataError as error:
        return (f"not measured: {error}",) * 2
    examples, task, network = trained.encode(part, target=True), trained.task, trained.network

    def reach() -> Horizon:
        return memory_horizon(network, *asked_of(task, examples, None))

    def context() -> Context:
        return context_curve(network, task, examples, window(examples, trained.config.training))

    return _or_why(reach), _or_why(context)


def _or_why(measure: Callable[[], _Measured]) -> _Measured | str:
    try:
        return measure()
    except (UsageError, DataError) as error:
        return f"not measured: {error}"


def _worst(task: Task, row: _Row, losses: Tensor) -> Iterator[WorstStep]:
    """The steps with the highest losses, which are those of the steps asked for."""
    batch, outputs, answer = row.batch, row.trace.outputs, task.coder.answer
    assert batch is not None and batch.target is not None
    steps, reads = len(outputs), batch.inputs.get(task.coder.target)
    for nth in losses.argsort(descending=True)[:_WORST].tolist():
        if not float(losses[nth]) > 0:  # a missing target has none
            continue
        at = row.asked[0] - row.start + nth
        answers = task.answers(outputs[None, at : at + 1], one_step(batch, at, steps))
        chance = _single(answers.get(f"{task.coder.target}_p", [None])[0])
        before = (
            ""
            if reads is None or not isinstance(answer, Text)
            else str(answer.decode(reads[0, max(0, at + 1 - _BEFORE) : at + 1].numpy()))
        )
        yield WorstStep(
            step=row.asked[0] + nth,
            loss=float(losses[nth]),
            came=_came(answer, batch.target[0, at : at + 1].numpy()),
            expected=_single(answers.get(f"{task.coder.target}{PREDICTED}", [None])[0]),
            chance=chance if isinstance(chance, float) else None,
            after=before,
        )


def _came(answer: Encoding, target: np.ndarray) -> Any:
    """The target of one step, as the user wrote it."""
    return _END if isinstance(answer, Text) and target[0] == answer.end else _single(answer.decode(target))


def _single(value: Any) -> Any:
    """The only element of a list of one."""
    return _single(value[0]) if isinstance(value, list) and len(value) == 1 else value


def _numbers(one: Horizon | Context | str) -> Any:
    return None if isinstance(one, str) else _finite(asdict(one))


def _finite(value: Any) -> Any:
    """The same, with ``None`` for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
