"""Inspect a run: how far back it reaches, how much context helps, which gates are stuck, and where it is most wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from unrolled.inspection.attribute import Attribution
from unrolled.inspection.context import Context
from unrolled.inspection.dynamics import Dynamics
from unrolled.inspection.heads import Heads
from unrolled.inspection.memory_horizon import Horizon
from unrolled.inspection.named_units import Units
from unrolled.inspection.prefixes import Prefixes
from unrolled.inspection.saturation import Saturation, saturation
from unrolled.inspection.trace import Trace
from unrolled.models.model import Model
from unrolled.page.document import Section, document
from unrolled.page.notebook import cell, facts
from unrolled.runs.beside import Beside, beside
from unrolled.runs.explained import explained, tested_heads
from unrolled.runs.measuring import finite, measured
from unrolled.runs.side_by_side import side_by_side
from unrolled.runs.traced_rows import data_of, traced_row, traces_from
from unrolled.runs.trained import Trained
from unrolled.runs.unseen import gathered
from unrolled.runs.worst_steps import MOST, WorstStep, worst_steps
from unrolled.tasks.task import Task
from unrolled.views.looked import Looked
from unrolled.views.measured import charts_of
from unrolled.views.resting import resting
from unrolled.views.shown import shown, verdicts

__all__ = ["Inspection", "inspect_run"]

_CLOSE = 1e-5
_LONG, _UNITS = 5_000, 64  # steps beyond which a page holds only so many units


@dataclass(frozen=True, slots=True, repr=False)
class Inspection:
    """What there is to say about a model on some data. ``print`` shows the verdicts.

    Attributes:
        data: what it was inspected on.
        row: the row whose steps were looked at one by one, from 0.
        steps: the first of these steps, and the one after the last.
        reach, context: the memory horizon and the context curve; or a sentence that says why there is none.
        gates: the gates of this row, and of the rows after it until 1 000 steps were read.
        units: which units follow something that can be said of the steps; or why this is not known.
        dynamics: how fast a change of the state fades, and where the state rests; or why this is not known.
        heads: the heads of attention of these rows, each made uniform; a sentence that says why they were not measured,
            or "" for a model without attention.
        why: what one answer of the row rests on, or a sentence that says why that is not known.
        loss: the mean loss of these steps; ``None`` where a single step has none.
        worst: the five steps with the highest loss, the highest first.
        trace: the row's gates and states, all of which are those of the ordinary run up to ``trace.difference``.
        model: what was inspected.
        task, network: what the model is asked, and the model itself.
        start: the number of the first traced step in the row; steps before those asked for are read first.
        prefixes: the beginnings of the row, for the answers along it.
        against: another model on the same data; ``None`` where none was given.
        notes: what the user should know about the data, and which values were too many to keep.
    """

    data: str
    row: int
    steps: tuple[int, int]
    reach: Horizon | str
    context: Context | str
    gates: Saturation
    units: Units | str
    dynamics: Dynamics | str
    heads: Heads | str
    why: Attribution | str
    loss: float | None
    worst: tuple[WorstStep, ...]
    trace: Trace
    model: str
    task: Task
    network: Model
    start: int
    prefixes: Prefixes | None = None
    against: Beside | None = None
    notes: tuple[str, ...] = ()

    @property
    def verdicts(self) -> tuple[tuple[str, str], ...]:
        """(what about, a sentence with its number and what to do)."""
        return self._verdicts(self.why)

    def _verdicts(self, why: Attribution | str) -> tuple[tuple[str, str], ...]:
        reach, context = (one if isinstance(one, str) else one.sentence for one in (self.reach, self.context))
        return (
            ("reach", reach),
            ("context", context),
            *(("gates", sentence) for sentence in self.gates.verdicts),
            *(("units", sentence) for sentence in _sentences(self.units)),
            *(("dynamics", sentence) for sentence in _sentences(self.dynamics)),
            *(("against", sentence) for sentence in (self.against.verdicts if self.against else ())),
            *(("heads", sentence) for sentence in _sentences(self.heads)),
            ("worst steps", self._of_steps()),
            ("answer", why if isinstance(why, str) else why.sentence),
            ("proof", self._proof()),
        )

    def _of_steps(self) -> str:
        if self.loss is None:
            return self._of_rows()
        start, stop = self.steps
        return f"row {self.row}, steps {start:,} to {stop - 1:,}: the mean loss is {self.loss:.3g}"

    def _of_rows(self) -> str:
        """What stands in place of the worst steps, where the steps that are read have no losses."""
        rows, given = f"unrolled evaluate --worst {MOST} lists the worst rows", self.trace.batch
        if given is None or given.target is None or self.trace.own_answer:
            ahead = bool(self.task.coder.horizon)
            return f"none: {'what came after the row is not known' if ahead else 'the row has no target'}"
        if not self.network.writes:
            return f"none: a row has one loss here; {rows}"
        with torch.no_grad():
            losses = self.task.each(self.trace.outputs, given)[0][0]
        worst = int(losses.argmax())
        return (
            f"row {self.row}, written symbols 0 to {len(losses) - 1:,}: the mean loss is {float(losses.mean()):.3g}, "
            f"and the highest, {float(losses[worst]):.3g}, is that of symbol {worst:,}; {rows}"
        )

    def _proof(self) -> str:
        difference = self.trace.difference
        if math.isnan(difference):
            return "none: the outputs of this model cannot be compared number by number"
        if difference == 0:
            return "the outputs of the traced run are those of the ordinary run, to the bit"
        said = f"the outputs of the traced run are within {difference:.1e} of those of the ordinary run"
        if difference <= _CLOSE:
            return said
        return f"{said}, which is more than rounding ({_CLOSE:g}): please report it"

    def _repr_html_(self) -> str:
        charts = charts_of(self.reach, self.context, self.gates, self.dynamics)
        return cell(f"{self.title}: {self.where}", facts(self.verdicts), *(one.body for one in charts))

    def __str__(self) -> str:
        return "\n".join(f"{about}: {sentence}" for about, sentence in self.verdicts)

    def to_html(self, *, units: int = 0, hide: bool = False) -> str:
        """A page that works offline: the verdicts, and every step of the row with all that the model computed.

        The file holds the row itself.

        Args:
            units: how many units of each gate and state it holds, those that follow a feature best; 0 for all, up to
                5 000 steps, and 64 beyond.
            hide: letters and digits of the row are replaced by x and 0.
        """
        return document(self.title, self.where, self.sections(units, hide=hide))

    def sections(self, units: int = 0, *, hide: bool = False) -> list[Section]:
        """What its page shows, verdicts first; ``units`` and ``hide`` as for `to_html`."""
        looked, why = self.looked(units, hide=hide), self.why
        if not isinstance(why, str):
            why = replace(why, read=tuple(map(looked.said, why.read)))
        said = verdicts([*self._verdicts(why), *(("note", line) for line in self.notes)])
        charts = charts_of(self.reach, self.context, self.gates, self.dynamics)
        other = () if self.against is None else side_by_side(self.against, self.reach, self.context, hide=hide)
        return [said, *shown(looked), *resting(why), *charts, *other]

    def looked(self, units: int = 0, *, hide: bool = False) -> Looked:
        """The row for the views of a page; ``units`` and ``hide`` as for `to_html`."""
        followed = None if isinstance(self.units, str) else self.units
        return Looked(
            task=self.task,
            network=self.network,
            trace=self.trace,
            start=self.start,
            found=[(one.sentence, one.layer, one.unit) for one in followed.named] if followed else (),
            first={name: layer.units for name, layer in followed.layers.items()} if followed else {},
            units=units or (0 if self.trace.steps <= _LONG else _UNITS),
            hidden=hide,
            prefixes=self.prefixes,
            heads=None if isinstance(self.heads, str) else self.heads,
        )

    @property
    def title(self) -> str:
        """The heading of its page."""
        return f"Inside {self.model}"

    @property
    def where(self) -> str:
        """Which steps of which row were looked at."""
        start, stop = self.steps
        return f"{self.data}, row {self.row}, steps {start:,} to {stop - 1:,}"

    def to_json(self, *, units: int = 0) -> dict[str, Any]:
        """All of it but the traced values, in names and numbers; what is not finite is ``None``.

        Args:
            units: how many units of each layer are listed, those that follow a feature best; 0: 64.
        """
        difference = self.trace.difference
        return {
            "data": self.data,
            "row": self.row,
            "steps": list(self.steps),
            "verdicts": [{"about": about, "says": sentence} for about, sentence in self.verdicts],
            "reach": _numbers(self.reach),
            "context": _numbers(self.context),
            "gates": asdict(self.gates),
            "units": _numbers(self.units if isinstance(self.units, str) else self.units.first(units or _UNITS)),
            "dynamics": _numbers(self.dynamics),
            "against": None if self.against is None else self.against.to_json(),
            "heads": _numbers(self.heads),
            "answer": _numbers(self.why),
            "loss": self.loss,
            "worst": [asdict(one) for one in self.worst],
            "difference": None if math.isnan(difference) else difference,
            "notes": list(self.notes),
        }


def inspect_run(
    trained: Trained,
    data: Any = None,
    row: int = 0,
    steps: slice | None = None,
    features: Mapping[str, Any] | None = None,
    against: Trained | None = None,
    *,
    why: int | None = None,
    text: str | None = None,
) -> Inspection:
    """Inspect a model.

    Args:
        trained: the model.
        data: a path or a table in memory, of which at most about the first 50 000 rows are looked at, and ``row``.
            Default: the validation split of the run, else its test split.
        row: the row whose steps are looked at one by one, from 0.
        steps: which of its steps, where there is an answer for each; at most 1 000 steps before them are read first.
            Default: the first 1 000, in a split by time the first of that split.
        features: what else units may follow: a name -> a mask or a number for each step of the row, up to 8 000.
        against: another model, which is asked the same, to be set beside it on the same data.
        why: the step whose answer is explained, one of these. Default: the one with the highest loss.
        text: a text that is inspected in place of ``data``, for a model that reads one.

    Raises:
        DataError: a feature does not fit the row; the data cannot be read; or none is given, and that of the run is
            gone or has changed.
        UsageError: there is no such row or step, no data is given where the run held none out, or ``against`` is of
            another kind.

    Cost: 256 answers with 1 000 steps each, forward about four times and backward once, the trace of a row, and
        those of `search_units`, `dynamics` and `beside`.
    """
    part, name, notes = data_of(trained, data, row, text)
    with gathered():  # `measured` says it
        other = None if against is None else beside(trained, against, part, row)
        found = traced_row(trained, part, row, steps)
        traces = traces_from(trained, part, found, row) if steps is None else [found.trace]
        measures = measured(trained, part, row, features)
        loss, (first, stop) = found.trace.loss, found.asked
        loss = None if loss is None else loss[first - found.start : stop - found.start]
        return Inspection(
            data=name,
            row=row,
            steps=found.asked,
            reach=measures.reach,
            context=measures.context,
            gates=saturation(traces),
            units=measures.units,
            dynamics=measures.dynamics,
            heads=tested_heads(trained, part, row, found.trace),
            why=explained(trained.task, found, loss, why),
            loss=None if loss is None or not len(loss) else float(loss.mean()),
            worst=() if loss is None else tuple(worst_steps(trained.task, found, loss)),
            trace=found.trace,
            model=f"{trained.network.title} for {trained.task.name}",
            task=trained.task,
            network=trained.network,
            start=found.start,
            prefixes=Prefixes(trained.network, trained.task, found.examples),
            against=other,
            notes=(*notes, *_of_strands(trained), *measures.unseen, *filter(None, [found.trace.note])),
        )


def _of_strands(trained: Trained) -> tuple[str, ...]:
    if trained.task.coder.strands is None:
        return ()
    return ("predict takes the mean of both strands; here each is read as it is given, and not its other strand",)


def _sentences(one: Units | Dynamics | Heads | str) -> tuple[str, ...]:
    return ((one,) if one else ()) if isinstance(one, str) else one.verdicts


def _numbers(one: Horizon | Context | Units | Dynamics | Heads | Attribution | str) -> Any:
    return None if isinstance(one, str) else finite(asdict(one))
