"""What an inspection measures over the data: reach, context, units and dynamics, or why one cannot be measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.data.tables.sequences import Sequences, drop_missing
from unrolled.errors import DataError, UsageError
from unrolled.inspection.context import Context, context_curve
from unrolled.inspection.dynamics import STEPS, Dynamics, dynamics
from unrolled.inspection.memory_horizon import Horizon, asked_of, memory_horizon
from unrolled.inspection.named_units import Units
from unrolled.inspection.unit_search import search_units
from unrolled.runs.predicting import is_judged, one_row
from unrolled.runs.trained import Trained
from unrolled.runs.unseen import gathered
from unrolled.tasks.task import Task
from unrolled.training.plans import window

__all__ = ["Measures", "finite", "measured", "reach_and_context"]

_Measured = TypeVar("_Measured", Horizon, Context, Units, Dynamics)


class Measures(NamedTuple):
    """The measures, each of which may be a sentence that says why there is none; and what the data holds that the model
    did not learn from.
    """

    reach: Horizon | str
    context: Context | str
    units: Units | str
    dynamics: Dynamics | str
    unseen: tuple[str, ...] = ()


def measured(trained: Trained, part: Sequences, row: int, features: Mapping[str, Any] | None) -> Measures:
    """Measure a model over ``part``.

    Args:
        trained, part: the model and the data.
        row: the row along which the dynamics are measured, and to which ``features`` belong.
        features: the user's own, as for `search_units`.

    Raises:
        DataError: a feature does not fit the row.
    """
    task, network = trained.task, trained.network
    one = one_row(part, row)
    with gathered():
        alone = trained.encode(one, target=task.coder.form.continues or is_judged(one, task))
    with gathered() as unseen:  # of all rows; what is encoded of some again says no more
        examples = trained.encode(part, target=_unanswered(trained, part) is None)
        reach, context = reach_and_context(trained, part)
    if features:
        units: Units | str = search_units(network, task, alone, given=features, row=0)
    else:
        units = _or_why(lambda: search_units(network, task, examples))
    moved = _or_why(lambda: dynamics(network, _beginning(task, alone)))
    return Measures(reach, context, units, moved, tuple(unseen))


def reach_and_context(trained: Trained, part: Sequences) -> tuple[Horizon | str, Context | str]:
    """The horizon and the context curve of a model over ``part``, or why there is none."""
    task, network = trained.task, trained.network
    if (why := _unanswered(trained, part)) is not None:
        return why, why
    examples = trained.encode(part, target=True)
    return (
        _or_why(lambda: memory_horizon(network, *asked_of(task, examples, None))),
        _or_why(lambda: context_curve(network, task, examples, window(examples, trained.config.training))),
    )


def _unanswered(trained: Trained, part: Sequences) -> str | None:
    """Why there is no loss, where the data lacks the target."""
    try:
        if not trained.task.coder.continues:
            trained.task.coder.check_columns(part, with_target=True)
            drop_missing(part, trained.task.coder.target)
    except DataError as error:
        return f"not measured: {error}"
    return None


def _or_why(measure: Callable[[], _Measured]) -> _Measured | str:
    try:
        return measure()
    except (UsageError, DataError) as error:
        return f"not measured: {error}"


def _beginning(task: Task, examples: Examples) -> Batch:
    """The first steps of the only row, of a forecast its last lookback."""
    row = np.array([0])
    if examples.form.writes:
        return Loader(examples, Windows(row, examples.steps(), STEPS, 1))[0]
    steps = int(examples.form.plans.questions(examples.steps())[0])
    most, end = STEPS, min(steps, STEPS)
    if examples.horizon:
        most, ends = task.batching.lookback, examples.window_ends()[1]
        if not len(ends):
            raise DataError("the row has too few steps for an answer")
        end = int(ends.max())
    return Loader(examples, Windows(row, np.array([end]), max(most, 1), 1))[0]


def finite(value: Any) -> Any:
    """The same tree, with ``None`` for the numbers that JSON has no word for.

    >>> finite({"a": (1.0, float("nan"))})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
