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
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.inspection.context import Context, context_curve
from unrolled.inspection.dynamics import STEPS, Dynamics, dynamics
from unrolled.inspection.memory_horizon import Horizon, asked_of, memory_horizon
from unrolled.inspection.named_units import Units
from unrolled.inspection.unit_search import search_units
from unrolled.runs.trained import Trained
from unrolled.tasks.task import Task
from unrolled.training.plans import window

__all__ = ["Measures", "finite", "measured", "reach_and_context"]

_Measured = TypeVar("_Measured", Horizon, Context, Units, Dynamics)


class Measures(NamedTuple):
    """The measures, each of which may be a sentence that says why there is none."""

    reach: Horizon | str
    context: Context | str
    units: Units | str
    dynamics: Dynamics | str


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
    examples = trained.encode(part, target=_unanswered(trained, part) is None)
    if features:
        units: Units | str = search_units(network, task, examples, given=features, row=row)
    else:
        units = _or_why(lambda: search_units(network, task, examples))
    reach, context = reach_and_context(trained, part)
    return Measures(reach, context, units, _or_why(lambda: dynamics(network, _beginning(task, examples, row))))


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
    except DataError as error:
        return f"not measured: {error}"
    return None


def _or_why(measure: Callable[[], _Measured]) -> _Measured | str:
    try:
        return measure()
    except (UsageError, DataError) as error:
        return f"not measured: {error}"


def _beginning(task: Task, examples: Examples, row: int) -> Batch:
    """The first steps of a row, of a forecast its last lookback."""
    if examples.form.writes:
        return Loader(examples, Windows(np.array([row]), examples.steps()[[row]], STEPS, 1))[0]
    steps = int(examples.form.plans.questions(examples.steps())[row])
    most, end = STEPS, min(steps, STEPS)
    if examples.horizon:
        most = task.batching.lookback
        rows, ends = examples.window_ends()
        end = int(ends[rows == row].max(initial=0))
    return Loader(examples, Windows(np.array([row]), np.array([end]), max(most, 1), 1))[0]


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
