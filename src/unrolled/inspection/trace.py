"""A trace: what a trained model computes on one row, step by step, and proof that it is the model.

Axes: T steps, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import UsageError, did_you_mean
from unrolled.inspection.ablation import Ablation, ablate_units
from unrolled.inspection.answer import Of
from unrolled.inspection.attribute import WINDOW, Attribution, Method, attribute
from unrolled.inspection.heads import Heads, heads_of
from unrolled.inspection.interventions import Held, Put, Uniform
from unrolled.inspection.names import in_words
from unrolled.inspection.reach import Reach, reach_of
from unrolled.layers.item_outputs import ItemOutputs
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.page.chart import Chart
from unrolled.page.notebook import cell, grid, sentences
from unrolled.tasks.task import Task
from unrolled.watch import watching

__all__ = ["BUDGET", "Change", "Keep", "Trace", "losses_of", "one_step", "trace"]

Keep = Callable[[str], bool] | None
Change = Callable[[str, Tensor], Tensor] | None
BUDGET = 512 * 2**20  # bytes
_CLOSE = 1e-5


class _Run(NamedTuple):
    """How a trace was made, so that it can be made again with changes."""

    network: Model
    task: Task
    keep: Keep
    budget: int | None
    changes: tuple[Callable[[], Change], ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Trace:
    """One row through a model. ``trace["layer 1, forget gate"]``, or by path, is a tensor of one line for each step.

    Attributes:
        steps: T.
        values: path -> (T, …): every gate and state of recurrent cells, the weights of attention (T, heads, steps), and
            q, k, v, a, b and the memory of the delta rule. Empty for a model without any of these.
        outputs: what the model computes for the task, of this row.
        answers: the task's answers, as `predict` adds them to the row.
        loss: (T,), the loss of each step; ``None`` where there is no target (the data lacks it, or it is the step
            after the row's end), or no loss of a single step (one answer a row, a CRF, a written sequence).
        difference: the largest difference between the outputs of this run and of the ordinary one, relative to the
            largest output above 1; of written symbols and of items, between their losses. NaN where there are none,
            and where values were changed.
        dropped: the paths of the values that would have taken more memory than the budget: the largest ones, first of
            all the weights of attention and the memories of the delta rule.
        batch: the row as the model read it.
        own_answer: the target in ``batch`` is what the model has written itself, not what the data says.
    """

    steps: int
    values: dict[str, Tensor]
    outputs: Any
    answers: dict[str, Any]
    loss: Tensor | None
    difference: float
    dropped: tuple[str, ...] = ()
    batch: Batch | None = None
    own_answer: bool = False
    _run: _Run | None = field(default=None, compare=False)

    @property
    def note(self) -> str:
        """What is missing and what to do; empty if nothing is."""
        if not self.dropped:
            return ""
        missing = "; ".join(map(in_words, self.dropped))
        return (
            f"left out of the trace, as over {self.steps:,} steps it takes too much memory: {missing}; read fewer steps"
        )

    @property
    def names(self) -> dict[str, str]:
        """What each value is called in words -> its path."""
        words = {path: in_words(path) for path in self.values}
        often = list(words.values())
        return {path if often.count(word) > 1 else word: path for path, word in words.items()}

    def __getitem__(self, name: str) -> Tensor:
        """The value of a name in words, or of a path.

        Raises:
            UsageError: there is no such value.
        """
        names = self.names
        if name not in self.values and name not in names:
            if not names:
                raise UsageError("this model shows nothing: it has no recurrent cell, no attention and no delta rule")
            raise UsageError(f"there is no {name!r} in the trace.{did_you_mean(name, names)}")
        return self.values[names.get(name, name)]

    def without(self, *, unit: tuple[str, int] | None = None, head: tuple[str, int] | None = None) -> Trace:
        """The same row through the model without one of its parts.

        Args:
            unit: the name of a gate or a state and a unit's number, from 0; it is held at its mean over these steps.
            head: the name of the weights of attention and a head's number, whose weights are spread evenly.

        Raises:
            UsageError: there is no such value, unit or head, or not exactly one of them is named.

        As in ``trained.trace("X:1").without(unit=("layer 1, cell state", 208)).loss``.
        """
        if (unit is None) == (head is None):
            raise UsageError("name either a unit or a head, such as unit=('layer 1, cell state', 0)")
        name, number = unit or head or ("", 0)
        path, value = self.names.get(name, name), self[name]
        heads = path.rpartition(".")[2] == "attention"
        count = 1 if heads and value.dim() == 2 else value.shape[1]
        if heads != (head is not None) or (value.dim() != 2 and not heads):
            raise UsageError(f"{name!r} has no {'units' if unit else 'heads'} that could be taken out one by one")
        if not 0 <= number < count:
            raise UsageError(f"there is no {'head' if heads else 'unit'} {number}: {name!r} has {count:,}, from 0")
        if heads:
            return self._changed(lambda: Uniform(path, number))
        mean = float(value[:, number].mean())
        return self._changed(lambda: Held(path, number, mean))

    def with_(self, name: str, value: Tensor | float) -> Trace:
        """The same row through the model with other numbers in place of a value; all that follows is computed anew.

        Args:
            name: in words, or a path.
            value: (T, …) as in this trace, or what spreads to it, such as one number.

        Raises:
            UsageError: there is no such value.
            ShapeError: ``value`` has another shape.
        """
        path, (run, batch) = self.names.get(name, name), self._model()
        _ = self[name]  # is it there?
        return self._changed(lambda: Put(run.network, batch, path, value))

    def reach(self, step: int = -1, of: Of = "logit") -> Reach:
        """How far one answer reaches back, by its gradient; see `reach_of`."""
        run, batch = self._unchanged()
        return reach_of(run.network, run.task, batch, step, of)

    def attribute(
        self, step: int = -1, method: Method = "occlusion", window: int = WINDOW, of: Of = "logit"
    ) -> Attribution:
        """What each step that was read is worth to one answer; see `attribute`."""
        run, batch = self._unchanged()
        return attribute(run.network, run.task, batch, step, method, window, of)

    def heads(self, occlusion: Attribution | None = None) -> Heads:
        """What the loss is when each head of attention is made uniform; see `heads_of`."""
        run, batch = self._unchanged()
        return heads_of(run.network, run.task, batch, occlusion)

    def ablate(self, name: str, units: Sequence[int] | None = None) -> Ablation:
        """What each unit of a gate or a state is worth; see `ablate_units`."""
        run, batch = self._unchanged()
        return ablate_units(run.network, run.task, batch, self.names.get(name, name), units)

    def _changed(self, make: Callable[[], Change]) -> Trace:
        run, batch = self._model()
        makes = (*run.changes, make)
        changes = [each() for each in makes]

        def change(path: str, value: Tensor) -> Tensor:
            for one in changes:
                value = value if one is None else one(path, value)
            return value

        found = trace(run.network, run.task, batch, keep=run.keep, change=change, budget=run.budget)
        return replace(found, own_answer=self.own_answer, _run=run._replace(changes=makes))

    def _model(self) -> tuple[_Run, Batch]:
        if self._run is None or self.batch is None:
            raise UsageError("this trace does not know its model: take one from Trained.trace")
        return self._run, self.batch

    def _unchanged(self) -> tuple[_Run, Batch]:
        run, batch = self._model()
        if run.changes:
            raise UsageError("this is the trace of a changed run: ask the one of the ordinary run")
        return run, batch

    def _repr_html_(self) -> str:
        rows = [
            [name, " × ".join(map(str, value.shape)), float(value.min()), float(value.mean()), float(value.max())]
            for name, value in ((name, self.values[path].float()) for name, path in self.names.items())
            if value.numel()
        ]
        shown = grid(["", "shape", "least", "mean", "greatest"], rows) if rows else ""
        chart = Chart(x="step", y="loss").line(range(self.steps), self.loss.tolist()) if self.loss is not None else None
        return cell(repr(self), shown, "" if chart is None else chart.to_svg(), sentences(filter(None, [self.note])))

    def __repr__(self) -> str:
        same = "" if self.difference != self.difference else f", {self.difference:.1e} from the ordinary run"
        steps = "1 step" if self.steps == 1 else f"{self.steps:,} steps"
        return f"Trace({steps}, {', '.join(self.names) or 'nothing shown'}{same})"


def trace(
    network: Model,
    task: Task,
    batch: Batch,
    *,
    keep: Keep = None,
    change: Change = None,
    budget: int | None = BUDGET,
    own_answer: bool = False,
) -> Trace:
    """Trace a batch of one row.

    Args:
        network, task: the model; dropout is off.
        batch: the row, with a target or without.
        keep, change, budget: as for `Recorder`. By default the values take at most 512 MiB.
        own_answer: of a model that writes a sequence, trace how it writes its own answer, which it has written before,
            rather than the target; always so for a batch without a target.

    Raises:
        UsageError: ``own_answer`` of a model that does not write sequences.

    Cost: the ordinary run twice, where the kernels show what a cell computes. With ``change``, and for layers without
        such kernels, the second one runs step by step, 5 to 20 times as long.
    """
    training, steps = network.training, int(batch.lengths[0])
    network.eval()
    try:
        with torch.no_grad():
            expected, _ = network.run(batch)
            given = batch
            if own_answer or batch.target is None:
                batch = task.answered(expected, batch)
                if batch is not given:
                    expected, _ = network.run(batch)
                elif own_answer:
                    raise UsageError("own_answer only works with a model that writes a sequence")
            with watching(recorder := Recorder(network, _inside if keep is None else keep, change, budget)):
                outputs, _ = network.run(batch)
            loss, answers = losses_of(task, outputs, batch), task.answers(outputs, batch)
    finally:
        network.train(training)
    values = {path: value[0] for path, value in recorder.take().items()}
    difference = float("nan") if change is not None else _difference(task, outputs, expected, batch)
    alone = outputs[0] if isinstance(outputs, Tensor) else outputs
    first = {name: found[0] for name, found in answers.items()}
    dropped, own = tuple(recorder.dropped), batch is not given
    run = _Run(network, task, keep, budget, () if change is None else (lambda: change,))
    return Trace(steps, values, alone, first, loss, difference, dropped, batch, own, run)


def _difference(task: Task, outputs: Any, expected: Any, batch: Batch) -> float:
    """`Trace.difference`, of the losses where the outputs are not a tensor."""
    if not isinstance(outputs, Tensor):
        if batch.target is None:
            return float("nan")
        outputs, expected = (task.each(one, batch)[0] for one in (outputs, expected))
    if not outputs.numel():
        return float("nan")
    return float((outputs - expected).abs().max() / max(1.0, float(expected.abs().max())))


def _inside(path: str) -> bool:
    """Whether a value is computed by a layer: the embedded steps, which it reads, are not among the traced values."""
    return not path.endswith(".out")


def one_step(batch: Batch, at: int, steps: int) -> Batch:
    """Step ``at`` of a batch of rows with ``steps`` steps, as rows of one step; without a target."""
    inputs = {
        name: value[:, at : at + 1] if value.dim() > 1 and value.shape[1] == steps else value
        for name, value in batch.inputs.items()
    }
    return replace(batch, inputs=inputs, lengths=torch.ones_like(batch.lengths), target=None)


def losses_of(task: Task, outputs: Any, batch: Batch) -> Tensor | None:
    """The loss of each step; ``None`` where a row is judged as a whole."""
    if batch.target is None or task.pooled or not isinstance(outputs, Tensor | ItemOutputs):
        return None
    losses, _ = task.each(outputs, replace(batch, scored=None))
    return losses[0] if losses.dim() == 2 else None
