"""Backtest a forecast: metrics from each of the last origins, by origin and by step ahead.

An origin is the point at which a forecast is made: the steps before it are read, the steps after it predicted.

Axes: B windows, H steps ahead, K origins.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.metrics.metric import Sums, in_order
from unrolled.metrics.scoring import NO_OPTIONS, Own, added, values
from unrolled.models.model import Model
from unrolled.page.notebook import cell, metrics_grid
from unrolled.tasks.task import Task
from unrolled.training.evaluate import run_over

__all__ = ["Backtest", "backtest", "only_steps"]

_AT_ONCE = 128  # windows in a batch


class Backtest(NamedTuple):
    """The metrics over all origins, for each step ahead (nearest first) and for each origin (earliest first)."""

    metrics: dict[str, float]
    by_step: list[dict[str, float]]
    by_origin: list[dict[str, float]]

    def _repr_html_(self) -> str:
        parts = {f"{h} ahead": values for h, values in enumerate(self.by_step, 1)}
        parts |= {f"origin {k}": values for k, values in enumerate(self.by_origin, 1)}
        return cell("Backtest", metrics_grid(in_order(self.metrics), parts, "all origins", ""))


def backtest(
    network: Model, task: Task, examples: Examples, origins: int, device: str = "cpu", options: Own = NO_OPTIONS
) -> Backtest:
    """Evaluate forecasts from a rolling origin: the last ``origins`` points of each sequence with H known steps ahead.

    A shorter sequence has fewer origins; all sequences are aligned at their last origin. The model is not retrained.

    Args:
        network: the model to evaluate.
        task: a forecasting task.
        examples: the split to evaluate on, of form ``horizon``.
        origins: K ≥ 1.
        options: the options of the metrics.
        device: the device of the network.
    """
    rows, ends = examples.window_ends()
    late = examples.steps()[rows] - examples.horizon - ends  # 0 for the last origin of its row
    kept = np.flatnonzero(late < origins)
    rows, ends, late = rows[kept], ends[kept], late[kept]
    sums: dict[tuple[str, int], Sums] = {}
    loader = Loader(examples, Windows(rows, ends, task.batching.lookback, _AT_ONCE))
    for index, (outputs, batch) in enumerate(run_over(network, loader, device)):
        own = torch.from_numpy(late[index * _AT_ONCE : (index + 1) * _AT_ONCE])  # (B,)
        ahead = torch.arange(examples.horizon)
        parts = [("all", 0, torch.ones(len(own), examples.horizon, dtype=torch.bool))]
        parts += [("step", h, (ahead == h).expand(len(own), -1)) for h in range(examples.horizon)]
        parts += [("origin", k, (own == k)[:, None].expand(-1, examples.horizon)) for k in set(own.tolist())]
        for kind, number, asked in parts:
            judged = task.judge(outputs, only_steps(batch, asked))
            sums[kind, number] = added(sums.get((kind, number), {}), judged, options)
    known = {key: values(total, options) for key, total in sums.items()}
    steps = [known.get(("step", h), {}) for h in range(examples.horizon)]
    earliest_first = [known.get(("origin", k), {}) for k in reversed(range(int(late.max(initial=-1)) + 1))]
    return Backtest(known.get(("all", 0), {}), steps, earliest_first)


def only_steps(batch: Batch, asked: torch.Tensor) -> Batch:
    """``batch`` with only the ``asked`` (B, H) steps left to score."""
    assert batch.target is not None
    asked = asked.to(batch.target.device)
    return replace(batch, target=torch.where(asked[..., None], batch.target, torch.nan))
