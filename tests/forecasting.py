"""Questions of forecasting for tests of solved models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import torch

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.plans.windows import Windows
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import Origin
from unrolled.models.model import Model
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Question

__all__ = ["AIRLINE", "after", "ask", "windows"]

# Box and Jenkins, series G: international airline passengers, thousands a month, 1949 to 1960.
AIRLINE = [
    *(112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158, 133),
    *(114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218, 230, 242),
    *(209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235, 227, 234, 264),
    *(302, 293, 259, 229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278, 284, 277, 317, 313),
    *(318, 374, 413, 405, 355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336, 340, 318),
    *(362, 348, 363, 435, 491, 505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405),
    *(417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432),
]

Rows = dict[str, list[Sequence[float | None]]]


def ask(columns: Rows, horizon: int, season: int, lookback: int = 200, **options: Any) -> tuple[Forecast, Examples]:
    """A forecast of all ``columns`` (name -> rows of values), and its training split."""
    train = Sequences(pa.table(columns), dict.fromkeys(columns, "number"), Origin("made.csv"))
    roles = Forecast.roles(Question(train, tuple(columns), (), {"horizon": horizon, **options}))
    coder = Preprocessor.fit(train, roles, Preparation(by_window=options.get("scale") == "window"))
    chosen = Forecast.Options(horizon=horizon, season=season, lookback=lookback, **options)
    examples = coder.encode(train)
    task = Forecast(chosen, coder).measure_training(examples).task
    assert isinstance(task, Forecast)
    return task, examples


def windows(task: Forecast, examples: Examples, most: int = 60) -> Batch:
    """Some windows of ``examples`` of many lengths, with their targets."""
    rows, stops = examples.window_ends()
    stride = -(-len(rows) // most)
    return Loader(examples, Windows(rows[::stride], stops[::stride], task.batching.lookback, most))[0]


def after(task: Forecast, model: Model, examples: Examples) -> dict[str, list[list[float]]]:
    """The answers after the last value of each row, in the user's units."""
    steps = examples.steps()
    rows = torch.arange(len(steps)).numpy()
    plan = Windows(rows, steps, task.batching.lookback, len(steps))
    asked = Loader(replace(examples, target=None), plan)[0]
    with torch.no_grad():
        return task.answers(model.run(asked)[0], asked)
