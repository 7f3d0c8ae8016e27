"""Search the units of a model for what they follow: states of many steps, their features, and the loss without a unit.

Axes: B rows, T steps, H units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.errors import DataError, UsageError
from unrolled.inspection.ablation import Worth, ablate_units
from unrolled.inspection.features import features_of, given_features
from unrolled.inspection.named_units import Units, units_for
from unrolled.inspection.names import in_words
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.watch import watching

__all__ = ["search_units", "states_of"]

_STEPS = 8_000  # in all
_WINDOW = 500  # steps of a row that are read at once
_ROWS = 256
_WORK = 100_000_000_000  # multiply-adds, for the loss without units


def search_units(
    network: Model,
    task: Task,
    examples: Examples,
    *,
    given: Mapping[str, Any] | None = None,
    row: int = 0,
) -> Units:
    """Find the unit that follows each feature best, and whether the model uses it; see `units_for`.

    The steps are those of windows of at most 500 steps, spread evenly over the data, from the initial state: 8 000 in
    all. The units are those of the cell states of recurrent layers, or of the hidden states where there are none.

    Args:
        network, task: the model; dropout is off.
        examples: the data; with its target, units that are named are held still.
        given: features of the user's own beside those of `features_of`, a mask or a number for each step of one row;
            then only this row is read, up to its step 8 000.
        row: that row.

    Raises:
        UsageError: the model has no recurrent cell, or writes its answer, or hides steps.
        DataError: a feature does not fit the row, or no row has a step.

    Cost: the ordinary run over 8 000 steps, the search, and as many rows as there are units that are named, step by
        step.
    """
    form = examples.form
    if form.writes or form.own_length:
        raise UsageError(
            "the answer is a written sequence: units are only searched where the input is read step by step"
        )
    if form.continues and not form.predicts_next and not form.horizon:
        raise UsageError("the task asks for hidden steps, so no row is read as it is")
    batch, starts = _read(task, examples, row if given else None)
    if not len(batch.rows):
        raise DataError("no row has enough steps for an answer")
    batch = batch.to(str(network.device))
    states = states_of(network, batch)
    if not states:
        raise UsageError("this model has no recurrent cell, so it has no units that hold something from step to step")
    features = features_of(task, batch, starts)
    if given:
        features |= given_features(given, int(batch.lengths.sum()))
    paths = {in_words(path): path for path in states}

    def ablate(layer: str, units: Sequence[int]) -> Sequence[Worth]:
        return ablate_units(network, task, _affordable(network, batch, len(units)), paths[layer], units).worth

    named = {in_words(path): values for path, values in states.items()}
    return units_for(named, features, None if batch.target is None else ablate)


def _affordable(network: Model, batch: Batch, units: int) -> Batch:
    """As many rows of a batch, evenly spread, as several runs of it step by step may cost."""
    weights = sum(part.numel() for part in network.parameters())
    steps = int(batch.lengths.max())
    rows = int(np.clip(_WORK // max(1, weights * steps * units), 1, len(batch.rows)))
    return batch.only(torch.linspace(0, len(batch.rows) - 1, rows, device=batch.lengths.device).long())


def states_of(network: Model, batch: Batch) -> dict[str, np.ndarray]:
    """Path -> (T, H): the cell states, or hidden states, of all real steps of a batch, one row after the other."""
    shown: list[str] = []

    def keep(path: str) -> bool:
        shown.append(path)
        return path.rpartition(".")[2] in ("h", "c")

    training = network.training
    network.eval()
    try:
        with torch.no_grad(), watching(recorder := Recorder(network, keep)):
            network.run(batch)
    finally:
        network.train(training)
    values = {path: value for path, value in recorder.values().items() if value.dim() == 3}
    cells = {path.rpartition(".")[0] for path in values if path.endswith(".c")}
    kept = {
        path: value for path, value in values.items() if path.endswith(".c") or path.rpartition(".")[0] not in cells
    }
    return {path: _real(value, batch.lengths) for path, value in kept.items()}


def _real(values: Tensor, lengths: Tensor) -> np.ndarray:
    rows = zip(values, lengths.tolist(), strict=True)
    return np.asarray(torch.cat([row[:length] for row, length in rows]).float().cpu().numpy())


def _read(task: Task, examples: Examples, row: int | None) -> tuple[Batch, list[int]]:
    """Windows of all rows, or one row as it is; and the number of the first step of each."""
    steps = examples.form.plans.questions(examples.steps())
    if row is not None:
        rows, ends, window = np.array([row]), np.minimum(steps[[row]], _STEPS), _STEPS
    elif examples.horizon:
        rows, ends = examples.window_ends()
        window = task.batching.lookback
    elif task.pooled:
        rows, window = np.flatnonzero(steps > 0), _WINDOW
        ends = steps[rows]
    else:
        window, counts = _WINDOW, np.where(steps > 0, np.maximum(1, steps // _WINDOW), 0)
        rows = np.repeat(np.arange(len(steps)), counts)
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        ends = np.minimum((nth + 1) * window, steps[rows])
    usual = max(1.0, float(np.minimum(ends, window).mean())) if len(rows) else 1.0
    most = int(np.clip(_STEPS / usual, 1, _ROWS))
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64))
    batch = Loader(examples, Windows(rows[chosen], ends[chosen], window, len(chosen)))[0]
    starts = (ends[chosen] - batch.lengths.numpy()).tolist()
    return replace(batch, scored=None), starts
