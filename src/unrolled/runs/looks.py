"""Looks into a network while it trains: how its gates are used, and what it answers on a held-out row.

Axes: B rows, T steps, H units.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.tables.sequences import Sequences
from unrolled.inspection.saturation import USED, saturation
from unrolled.inspection.trace import Trace
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.metrics.judged import Forecasts
from unrolled.models.model import Model
from unrolled.runs.continuation import as_prompt
from unrolled.runs.predicting import PREDICTED
from unrolled.runs.writer import Asked, Writer
from unrolled.tasks.task import Task
from unrolled.training.checkpoint import restore_rng, rng_state
from unrolled.training.config import TrainingConfig
from unrolled.training.hooks import Event, Hook
from unrolled.training.plans import evaluation_plan
from unrolled.training.units import alone
from unrolled.watch import watching

__all__ = ["Looks"]

_FIRST_STEPS, _FIRST_SECONDS = 300, 5.0  # a look costs about as much as three steps
_SHARE = 0.01  # of the time of training
_APART, _EVER_LESS = 10.0, 0.05  # seconds between two looks, and share of the time so far: a day has about 150
_STEPS = 64  # of a row whose gates are looked at
_PROMPT, _TOKENS, _LONGEST = 60, 80, 0.25  # characters; tokens that are written after them, and seconds
_CELL, _ITEMS = 80, 20  # characters and items of a value that is shown

_log = logging.getLogger(__name__)


class Looks:
    """A hook that looks into the network every so often, and logs what it sees as an event ``look``.

    The event has ``gates``: in words -> the shares of steps and units in which the gate is ``closed``, below 0.1, and
    ``open``, above 0.9; and ``sample``: what was ``given`` (but for forecasts), what is ``right`` (unless a text is
    continued) and what the model ``wrote``. Training goes on as if nobody had looked: no random generator and no
    weight changes.

    Args:
        network, task: what is trained.
        averaged: gives the network the weights that would be kept, while it is open.
        examples, part: the held-out split after and before encoding.
        config: the options of training.
        log: where the events go.

    Cost: at most about 1 % of the time of training.
    """

    def __init__(
        self,
        network: Model,
        task: Task,
        averaged: Callable[[], AbstractContextManager[None]],
        examples: Examples,
        part: Sequences,
        config: TrainingConfig,
        log: Hook,
    ) -> None:
        self._network, self._task, self._averaged = network, task, averaged
        self._examples, self._part, self._config, self._tell = examples, part, config, log
        self._due = _FIRST_SECONDS

    def __call__(self, event: Event) -> None:
        """Look if it is time; not while the clock is read to fix the steps of training."""
        timed = event["kind"] == "step" and event["progress"] is not None and event["step"] >= _FIRST_STEPS
        if not timed or event["seconds"] < self._due:
            return
        started = time.monotonic()
        found = self.look()
        spent = time.monotonic() - started
        self._due = event["seconds"] + max(spent / _SHARE, _APART, _EVER_LESS * event["seconds"])
        place = {name: event[name] for name in ("step", "epoch", "seconds", "progress")}
        self._tell({"kind": "look", **place, **found})

    def look(self) -> dict[str, Any]:
        """The gates and the sample; empty for what cannot be had."""
        generators, training = rng_state(), self._network.training
        try:
            self._network.eval()
            with self._averaged(), torch.no_grad():
                row = self._row()
                return {"gates": self._gates(row), "sample": self._sample(row)}
        except Exception as error:  # whatever a member does here, training goes on
            _log.debug("looked in vain: %r", error)
            return {"gates": {}, "sample": {}}
        finally:
            self._network.train(training)
            restore_rng(generators)

    def _row(self) -> Batch:
        """A row of medium length: plans of whole rows begin with the shortest."""
        plan = evaluation_plan(self._examples, self._task.batching, self._config, self._network.causal)
        loader = Loader(self._examples, plan)
        batch = loader[len(loader) // 2]
        return alone(batch, len(batch.rows) // 2).to(str(self._network.device))

    def _gates(self, row: Batch) -> dict[str, dict[str, float]]:
        timed = {name for name, spec in self._examples.specs.items() if spec.time}
        short = {name: value[:, :_STEPS] if name in timed else value for name, value in row.inputs.items()}
        batch = replace(row, inputs=short, lengths=row.lengths.clamp(max=_STEPS), target=None)
        with watching(recorder := Recorder(self._network, lambda path: path.rpartition(".")[2] in USED)):
            self._network.run(batch)
        steps = int(batch.lengths[0])
        values = {path: value[0, :steps].float().cpu() for path, value in recorder.values().items()}
        gates = saturation([Trace(steps, values, None, {}, None, math.nan)]).gates
        return {name: {"closed": _mean(gate.closed), "open": _mean(gate.open)} for name, gate in gates.items()}

    def _sample(self, row: Batch) -> dict[str, Any]:
        """What the model answers on the row, or how it continues the row's beginning."""
        task, coder, at = self._task, self._task.coder, int(row.rows[0])
        if coder.horizon:
            judged = task.judge(self._network.run(row)[0], row)
            (forecast,) = [one for one in judged if isinstance(one, Forecasts)]
            return {"right": _in_units(forecast.right, forecast), "wrote": _in_units(forecast.answer, forecast)}
        if coder.continues:
            texts = coder.form.predicts_next and isinstance(coder.answer, Text) and coder.first_item is None
            return self._continued(at) if texts else {}
        if int(row.lengths[0]) != int(self._examples.steps()[at]):
            return {}  # of a stretch of a row, the truth is not a cell of the table
        answers = task.answers(self._network.run(row)[0], row)
        given = {name: _short(self._part.table.column(name)[at].as_py()) for name in coder.reads}
        right = self._part.table.column(coder.target)[at].as_py()
        return {"given": given, "right": _short(right), "wrote": _short(answers[f"{coder.target}{PREDICTED}"][0])}

    def _continued(self, at: int) -> dict[str, Any]:
        coder = self._task.coder
        prompt = as_prompt(coder.answer, self._part.table.column(coder.target)[at].as_py())[:_PROMPT]
        if " " in prompt.strip():
            prompt = prompt[: prompt.rindex(" ")]  # a word that is cut in two is unknown
        written, until = "", time.monotonic() + _LONGEST
        for piece in Writer(self._task, self._network).alone(Asked(prompt, _TOKENS, settings={"temperature": 0.8})):
            written += piece
            if time.monotonic() > until:
                break
        return {"given": prompt, "wrote": written}


def _mean(shares: tuple[float, ...]) -> float:
    return round(sum(shares) / len(shares), 4)


def _in_units(values: Tensor, of: Forecasts) -> list[Any]:
    """A forecast of the first channel, in the user's units."""
    return list(_short((values[0, :, 0].double() * of.std[0] + of.mean[0]).tolist()))


def _short(value: Any) -> Any:
    """The beginning of a value, as JSON can hold it."""
    if isinstance(value, list):
        return [_short(one) for one in value[:_ITEMS]]
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if isinstance(value, int | None) else str(value)[:_CELL]
