"""Forecast: what will the next H steps be? One number each, or quantiles.

Axes: B rows, T steps, H horizon, C channels, Q quantiles.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import TaskConfig
from unrolled.data.coder import Coder, Roles
from unrolled.data.encoded import has_time
from unrolled.data.examples import Examples
from unrolled.errors import DataError, UsageError
from unrolled.tasks.columns import join
from unrolled.tasks.task import Question, Sums

__all__ = ["Forecast"]


class Forecast:
    """Many to many, H steps ahead at once.

    The network predicts the change from the last known value, so a network that has learned nothing is the
    last-value forecast. Where quantiles are asked, the median is learned with them: it is the forecast.

    Equations:
        ŷ_{t+h} = x_t + o_{t,h};  point: loss = mean over h and channels of (ŷ − y)²;
        quantiles q: mean of max(q·(y − ŷ_q), (q − 1)·(y − ŷ_q)); the quantiles are sorted, so they never cross.

    Metrics: ``mse_scaled`` and ``mae_scaled`` (in units of each channel's training deviation, as papers report them;
    of the median where quantiles are asked), ``mae`` in the data's own units, averaged over channels, and
    ``pinball_scaled`` and ``coverage`` (share of values between the outer quantiles) for quantiles.
    """

    name: ClassVar[str] = "forecast"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "last"

    def __init__(self, config: TaskConfig, coder: Coder) -> None:
        self.config, self.coder = config, coder
        self.channels: list[str] = list(getattr(coder.answer, "channels"))  # noqa: B009 - only series has channels
        self.quantiles = tuple(sorted({*config.quantiles, 0.5})) if config.quantiles else ()
        self._shape = (coder.horizon, len(self.channels), max(1, len(self.quantiles)))  # (H, C, Q)
        self.outputs = coder.horizon * len(self.channels) * self._shape[2]
        self.watch = "pinball_scaled" if self.quantiles else "mse_scaled"
        self._middle = self.quantiles.index(0.5) if self.quantiles else 0

    @staticmethod
    def recognises(question: Question) -> str | None:
        return f"--horizon {question.horizon} was asked" if question.horizon else None

    @staticmethod
    def roles(question: Question) -> Roles:
        sequences = question.sequences
        if not question.horizon:
            raise UsageError("a forecast needs --horizon, the number of steps to look ahead")
        numbers = tuple(
            n
            for n, kind in sequences.kinds.items()
            if kind in ("number", "series") and has_time(sequences.column(n).type)
        )
        names = question.target or numbers
        if not names:
            raise DataError("no column holds numbers over time", file=sequences.origin, hint="name --order or --by")
        others = question.inputs or tuple(name for name in sequences.kinds if name not in names)
        joined, target = join(sequences, names)
        return Roles((target, *others), target, "horizon", joined=joined)

    def prior(self, train: Examples) -> Tensor | None:
        return None

    def predict(self, outputs: Tensor, batch: Batch) -> Tensor:
        """(B, H, C, Q) forecasts in scaled units."""
        x = batch.inputs[self.coder.target]  # (B, T, W)
        last = x[
            torch.arange(len(x), device=x.device), (batch.lengths - 1).clamp(min=0), : len(self.channels)
        ]  # (B, C)
        change = outputs.view(-1, *self._shape)
        forecast = last[:, None, :, None] + change
        return forecast.sort(-1).values if self.quantiles else forecast

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        y = batch.target[..., None]  # (B, H, C, 1)
        known = ~y.isnan()
        forecast = self.predict(outputs, batch)
        error = torch.where(known, y - forecast, 0.0)
        if self.quantiles:
            q = torch.tensor(self.quantiles, device=error.device)
            per_value = torch.maximum(q * error, (q - 1) * error).mean(-1)
        else:
            per_value = error.square()[..., 0]
        return per_value.sum(), known.sum()

    def measure(self, outputs: Tensor, batch: Batch) -> Sums:
        assert batch.target is not None
        loss, count = self.loss(outputs, batch)
        forecast, y = self.predict(outputs, batch).double(), batch.target.double()
        known = ~y.isnan()
        error = torch.where(known, forecast[..., self._middle] - y, 0.0)  # (B, H, C)
        std = torch.as_tensor(self.coder.answer.std, device=error.device)  # type: ignore[attr-defined]
        sums = {
            "loss": loss.double(),
            "count": count,
            "square": error.square().sum(),
            "absolute": error.abs().sum(),
            "units": (error.abs() * std).sum(),
        }
        if self.quantiles:
            inside = (y >= forecast[..., 0]) & (y <= forecast[..., -1]) & known
            sums["inside"] = inside.sum()
        return sums

    def summarise(self, sums: Sums) -> dict[str, float]:
        n = max(1.0, float(sums["count"]))
        metrics = {
            "mse_scaled": float(sums["square"]) / n,
            "mae_scaled": float(sums["absolute"]) / n,
            "mae": float(sums["units"]) / n,
        }
        if self.quantiles:
            metrics |= {"pinball_scaled": float(sums["loss"]) / n, "coverage": float(sums["inside"]) / n}
        return metrics

    def cost(self, metrics: dict[str, float]) -> float:
        return metrics[self.watch]

    def in_units(self, baseline: dict[str, float]) -> dict[str, float]:
        return {"mse_scaled": baseline["mse"], "mae_scaled": baseline["mae"]}

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        std, mean = (torch.as_tensor(getattr(self.coder.answer, a), device=outputs.device) for a in ("std", "mean"))
        units = self.predict(outputs, batch).double() * std[:, None] + mean[:, None]  # (B, H, C, Q)
        columns: dict[str, list[Any]] = {}
        for c, channel in enumerate(self.channels):
            columns[f"{channel}_predicted"] = units[:, :, c, self._middle].tolist()
            for quantile in sorted(self.config.quantiles):
                q = self.quantiles.index(quantile)
                columns[f"{channel}_q{100 * quantile:g}"] = units[:, :, c, q].tolist()
        return columns


MEMBER = Forecast
