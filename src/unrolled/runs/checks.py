"""Checks that a network can be trained on the encoded data of a run, and that a trained one can judge other data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from unrolled.baselines.baseline import BASELINES
from unrolled.batch import Discrete
from unrolled.config import default_options
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.sequences import Sequences, drop_missing
from unrolled.errors import IN_MEMORY, DataError, Origin, UsageError, named
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import window

__all__ = ["check_idle", "check_judged", "check_pieces", "check_positions", "check_shards", "searching", "with_target"]


def check_idle(network: Model, train: Examples, config: RunConfig) -> None:
    """Refuse options of the trainer and the model that have no effect on these examples.

    Raises:
        UsageError: such an option was given.
    """
    training = config.training
    for name, works in (("bptt", train.form.plans.cuts), ("bptt_gradient", bool(window(train, training)))):
        if getattr(training, name) is not None and not works:
            raise UsageError(
                f"{named(name)} only works where sequences are trained in pieces; the task {config.task.name!r} trains "
                "on whole sequences here"
            )
    if training.batch_tokens is not None and (not train.form.plans.packs or window(train, training)):
        raise UsageError(
            f"{named('batch_tokens')} only works where whole sequences are trained; here they are windows or lanes of "
            f"one length, so {named('batch')} says how many steps a batch has"
        )
    if train.strands is not None and (not train.form.whole or train.form.own_length):
        raise UsageError(
            f"{named('both_strands')} only works where a row has one answer; this run's task is {config.task.name!r}"
        )
    for key, values in training.own.items():
        kind, _, name = key.partition(".")
        if kind == "baseline" and not BASELINES.get(name).applies(train):
            defaults = default_options(BASELINES.get(name))
            given = [option for option, value in defaults if values.get(option, value) != value]
            if given:
                raise UsageError(
                    f"{named(given[0])} only works with the baseline {name!r}, which does not apply to this run: "
                    f"its task is {config.task.name!r}"
                )
    symbols = any(isinstance(spec, Discrete) for spec in train.specs.values()) or network.writes
    if config.model.embedding is not None and not symbols:
        raise UsageError(f"{named('embedding')} only works with tokens or labels; all inputs are numbers")


def check_shards(network: Model, frozen: Mapping[str, Tensor], config: TrainingConfig) -> None:
    """Refuse to shard weights of which only some rows have a gradient.

    Args:
        network: before training.
        frozen: its rows of weights that must not change.
        config: the options of training.

    Raises:
        UsageError: the weights are to be sharded over ranks, and there are such rows.
    """
    if not config.shard_weights:
        return
    if network.sparse_weights():
        raise UsageError(
            f"{named('shard_weights')} does not go with a sampled softmax: set {named('sampled_softmax')} to 0, or "
            f"train without {named('shard_weights')}"
        )
    if frozen:
        raise UsageError(
            f"{named('shard_weights')} does not go with frozen vectors: set {named('freeze')} to false, or train "
            f"without {named('shard_weights')}"
        )


def check_pieces(network: Model, task: Task, train: Examples, config: RunConfig) -> None:
    """Refuse a model that cannot be trained on pieces of sequences, or that would read what it is to predict.

    Raises:
        UsageError: a bidirectional model is to predict the next step; or a bidirectional model, a CRF, or attention
            without a window is to be trained on pieces.
    """
    if network.layer is None or network.columns is None:
        return  # nothing is trained
    steps, model = window(train, config.training), config.model.name
    why = f"these sequences are trained in pieces of {steps} steps ({named('bptt')} is set, or they are long)"
    if steps and not task.batching.in_pieces:
        raise UsageError(f"{named('crf')} labels whole sequences, but {why}: leave {named('crf')} out")
    if steps and network.layer.keeps_every_step:
        raise UsageError(
            f"the model {model!r} attends to every earlier step, but {why}: set {named('attention_window')}, for "
            f"example to {2 * steps}"
        )
    if network.causal:
        return
    if train.form.predicts_next and not network.columns.causal:
        raise UsageError(
            "a pretrained encoder reads each text in both directions, so it would see the next step that it is to "
            f"predict: set {named('vectors')} to a file of word vectors, or leave it out"
        )
    if train.form.predicts_next:
        raise UsageError(
            f"the model {model!r} reads each sequence in both directions, so it would see the next step that it is to "
            "predict: choose a model without 'bi'"
        )
    if steps:
        raise UsageError(
            f"the model {model!r} reads each sequence in both directions, so it needs whole sequences, but {why}: "
            "choose a model without 'bi'"
        )


def check_positions(network: Model, task: Task, examples: Examples, part: Sequences) -> None:
    """Refuse a row that has more steps than a model has learned positions for.

    Raises:
        DataError: ``part``, from which ``examples`` were encoded, has such a row.
    """
    timed = [name for name, spec in examples.specs.items() if spec.time]
    if timed:
        read = examples.form.plans.read(examples.steps(), task.batching.lookback)
        _check_longest(network.longest_read, read, part, timed[0])
    for name, spec in examples.specs.items():
        if spec.side and spec.side.ordered:  # its layer has the same limit
            _check_longest(network.longest_read, examples.inputs[name].lengths(), part, name)
    if network.writes and examples.target is not None:
        written = examples.target.lengths() - 1  # the decoder reads all that it has written except ``<end>``
        _check_longest(network.longest_written, written, part, task.coder.target)


def _check_longest(longest: int | None, steps: np.ndarray, part: Sequences, column: str) -> None:
    if longest is not None and (long := np.flatnonzero(steps > longest)).size:
        place = part.where(column)
        raise DataError(
            f"has {steps[long[0]]:,} steps, but this model has learned positions for at most {longest:,}",
            file=place.file,
            row=place.row(int(long[0])),
            column=column,
            hint=f"shorten the row, or set {named('positions')} to rotary, which has no limit",
        )


def check_judged(metrics: dict[str, float], data: Any, horizon: int | None) -> None:
    """Refuse ``data`` with nothing in it that a task could score; ``horizon`` is that of a forecast.

    Raises:
        DataError: there are no ``metrics``.
    """
    if not metrics:
        needed = f": a forecast needs more than {horizon} steps" if horizon else ""
        nothing = f"holds nothing that could be scored{needed}"
        origin = data.origin if isinstance(data, Sequences) else Origin(data) if isinstance(data, str) else IN_MEMORY
        raise DataError(nothing, file=origin, hint="give more or longer sequences")


def with_target(part: Sequences, coder: Preprocessor) -> Sequences:
    """The rows of ``part`` whose target is known, where the target has its own column.

    Raises:
        DataError: it lacks a column of the model, or the target is missing everywhere.
    """
    if coder.continues:
        return part
    coder.check_columns(part, with_target=True)
    return drop_missing(part, coder.target)[0]


def searching(task: Task, beam: int | None) -> Task:
    """``task`` with another beam width; ``None`` leaves it as it is.

    Raises:
        UsageError: it writes no sequences, or the width is out of range.
    """
    if beam is None:
        return task
    own = task.options
    if "beam" not in type(own).model_fields:
        writers = f"{named('beam')} only works with tasks that write sequences"
        raise UsageError(f"{writers}; this model's task is {task.name!r}")
    return type(task)(type(own).check({**own.model_dump(), "beam": beam}), task.coder)
