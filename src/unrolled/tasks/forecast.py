"""Forecast: predict the next H steps as point values, quantiles or Gaussians.

Axes: B rows, T steps, H horizon, C channels, Q quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from unrolled.baselines._season import season
from unrolled.batch import Batch
from unrolled.config import Part, option
from unrolled.data.encodings.encoding import has_time
from unrolled.data.encodings.facets import Channels
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.horizon import Horizon
from unrolled.errors import DataError, UsageError, command, counted, named
from unrolled.layers.graph import Shaped, Value, last_steps
from unrolled.metrics.judged import Answers, Forecasts, Gaussians, Intervals, Nats, Quantiles, Seasonal
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.tasks._columns import is_name, join
from unrolled.tasks._conformal import interval_scale, miss
from unrolled.tasks._gaussian import bounded, gaussian_nats
from unrolled.tasks._horizon import check_ahead, example_horizon, horizon_and_season, measured_over_time
from unrolled.tasks._intervals import SHARE, Errors, HeldErrors, Widths, errors_of_simple_forecasts, window_spread
from unrolled.tasks._step_answers import step_forecast
from unrolled.tasks._written_forecast import Shape, write_forecast
from unrolled.tasks.task import Batching, Layout, Measured, Question, Reads, Recognised, Task

__all__ = ["Forecast"]

_ENDS = (10, 90)  # the names of the ends of a measured interval, in per cent
_SCALE = "interval_scale"  # the name of what is learned from the validation split
_MIDDLE, _DEVIATIONS = 0.8, 1.2815515655446004  # the share of a Gaussian within so many standard deviations


class Forecast(Task):
    """Predicts all H steps of the forecast horizon at once, many to many.

    The network predicts the change from the last known value, so an untrained network repeats the last value. The
    point forecast is the median of quantiles, which is always learned with them, or the mean of a Gaussian.

    Equations:
        ŷ_{t+h} = x_t + o_{t,h};  point: loss = mean over h and channels of (ŷ − y)²;
        quantiles q: mean of max(q·(y − ŷ_q), (q − 1)·(y − ŷ_q)); the quantiles are sorted, so they never cross;
        Gaussian: mean of −log N(y; ŷ, σ), with its own log σ for each h and channel;
        with ``scale="window"`` each window has its own scale s: s·o replaces o, and s·σ replaces σ.

    Metrics: ``mse_scaled`` and ``mae_scaled`` (in units of each channel's standard deviation in training, as papers
    report them), ``mae`` (in the data's own units, averaged over channels), ``smape_percent``, and ``mase`` (the mean
    absolute error of each series relative to repeating the last season in its own past), all of the point forecast.
    Quantiles add ``pinball_scaled``, ``coverage`` (share of values between the outer quantiles, or in the middle 80 %
    of a Gaussian) beside its nominal value, and an approximate ``crps_scaled``; a Gaussian adds
    ``nll_nats_per_value``, ``coverage`` and ``crps_scaled``.
    """

    class Options(Part):
        """The options of forecasting."""

        horizon: int | None = option(
            None,
            "Forecast horizon in steps.",
            ge=1,
            le=100_000,
            also=("prediction_length", "forecast_horizon", "fh", "output_chunk_length", "max_prediction_length", "h"),
        )
        lookback: int | None = option(
            None,
            "Steps of history that each forecast reads. Default: three horizons, at least 64.",
            ge=1,
            le=1_000_000,
            also=(
                "context_length",
                "input_chunk_length",
                "max_encoder_length",
                "window_length",
                "input_size",
                "history",
            ),
        )
        season: int | None = option(
            None,
            "Steps in a season, by which mase is scaled. "
            "Default: a day, week or year by the dates; without dates, what repeats best.",
            ge=1,
            le=100_000,
            also=("seasonality", "season_length", "seasonal_period", "period", "sp", "m", "freq", "frequency"),
        )
        known_ahead: tuple[str, ...] = option(
            (),
            "Known covariates: columns known in advance over the whole horizon, such as a calendar.",
            also=("ahead", "future_covariates", "known_covariates", "known_future", "time_varying_known_reals"),
        )
        quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = option(
            (),
            "Quantiles to forecast, such as 0.1,0.5,0.9. Default: a point forecast with a measured 80 % interval.",
            also=("quantile_levels", "quantile"),
        )
        distribution: Literal["gaussian"] | None = option(
            None,
            "Distribution to forecast: a mean and a standard deviation. "
            "Default: a point forecast with a measured 80 % interval.",
            also=("likelihood", "distr_output", "distribution_output"),
        )
        intervals: bool = option(
            True,
            "Measure 80 % intervals around point forecasts on the validation data.",
            also=("prediction_intervals", "conformal"),
        )
        scale: Literal["training", "window"] = option(
            "training",
            "Scale the target by the mean and standard deviation of the training data or of each window.",
            also=("scaling", "scaler", "normalization", "revin"),
        )

        @model_validator(mode="after")
        def _one_answer(self) -> Self:
            if self.quantiles and self.distribution:
                raise ValueError(
                    f"{named('quantiles')} and {named('distribution')} cannot be combined; give only one of them"
                )
            return self

    name: ClassVar[str] = "forecast"
    pooled: ClassVar[bool] = True
    pool: ClassVar[Literal["last", "max"]] = "last"
    needs: ClassVar[tuple[type, ...]] = (Channels,)
    continues: ClassVar[bool] = True
    layout: Layout = "ahead"

    def __init__(self, options: Forecast.Options, coder: Preprocessor) -> None:
        assert isinstance(coder.answer, Channels)
        self.options, self.coder, self.channels = options, coder, list(coder.answer.channels)
        self.batching = Batching(lookback=options.lookback or max(64, 3 * coder.horizon))
        self._mean, self._std = coder.answer.mean, coder.answer.std  # (C,)
        self.quantiles = tuple(sorted({*options.quantiles, 0.5})) if options.quantiles else ()
        self.gaussian = options.distribution == "gaussian"
        numbers = 2 if self.gaussian else max(1, len(self.quantiles))
        self._shape = (coder.horizon, len(self.channels), numbers)  # (H, C, Q)
        self.outputs = coder.horizon * len(self.channels) * numbers
        of_quantiles = "pinball_scaled" if self.quantiles else "mse_scaled"
        self.watch = self.chooses = "nll_nats_per_value" if self.gaussian else of_quantiles
        self._middle = self.quantiles.index(0.5) if self.quantiles else 0
        self._scale = float(coder.learned.get(_SCALE, 1.0))  # of the intervals, from the validation split
        self._widths = None if numbers > 1 else Widths.kept(coder.curves, coder.horizon, len(self.channels))
        self._simple: Errors | None = None  # of the training split

    @staticmethod
    def reads(asked: Mapping[str, Any]) -> Reads:
        chosen = asked.get("horizon") is not None or asked.get("task") == Forecast.name
        return Reads(chosen, tuple(asked.get("known_ahead") or ()))

    @staticmethod
    def assumes(question: Question) -> dict[str, Any]:
        cadence = question.sequences.cadence
        if cadence is None or not cadence.regular or not measured_over_time(question.sequences, question.target):
            return {}
        return horizon_and_season(cadence, question.asked)

    @staticmethod
    def recognises(question: Question) -> Recognised | None:
        horizon = question.asked.get("horizon")
        if horizon:
            return Recognised(100, f"{named('horizon')} is {horizon}")
        cadence, numbers = question.sequences.cadence, measured_over_time(question.sequences, question.target)
        if cadence is None or not cadence.regular or not numbers:
            return None
        return Recognised(95, f"numbers in steps of {cadence.step}: {', '.join(numbers)}")

    @staticmethod
    def roles(question: Question) -> Roles:
        sequences = question.sequences
        horizon, ahead = question.asked.get("horizon"), tuple(question.asked.get("known_ahead") or ())
        if not horizon:
            example = command(sequences.origin.name, {**question.asked, "horizon": example_horizon(sequences)})
            raise UsageError(
                f"the task 'forecast' needs {named('horizon')}, the number of steps to forecast, such as: {example}"
            )
        numbers = tuple(
            n
            for n in sequences.kinds
            if sequences.traits(n).measured and has_time(sequences.column(n).type) and n not in ahead
        )
        names = question.target or numbers
        if not names:
            hint = f"if each row is one step, give {named('order')} or {named('by')}"
            raise DataError("no column holds numbers over time", file=sequences.origin, hint=hint)
        others = question.inputs or tuple(name for name in sequences.kinds if name not in names)
        joined, target = join(sequences, names)
        check_ahead(sequences, ahead, names)
        inputs = tuple(dict.fromkeys((target, *others, *ahead)))
        # A short text that is constant over a series is the name of the series, not a sequence of tokens.
        kinds = dict.fromkeys((name for name in others if is_name(sequences, name)), "category")
        return Roles(inputs, target, Horizon(horizon), kinds, joined, ahead, question.asked.get("scale") == "window")

    def measure_training(self, train: Examples) -> Measured:
        period = self.options.season or season(train)
        coder = replace(self.coder, season=period)
        simple = errors_of_simple_forecasts(train, period) if self._measures else None
        if simple is not None and not coder.by_window:  # until a validation split tells more
            coder = replace(coder, curves={**coder.curves, **simple.widths().curves()})
        task = Forecast(self.options, coder)
        task._simple = simple
        said = f"season: {counted(period, 'step')} (used by mase)"
        return Measured(task, notes=() if self.options.season else (said,))

    @property
    def _measures(self) -> bool:
        """Whether intervals are measured around the point forecast."""
        return self.options.intervals and not self.gaussian and not self.quantiles

    def measure_validation(self, answered: Iterable[tuple[Tensor, Batch]]) -> Task:
        """Measure intervals, or scale those of the model, so that they hold as many values as their name says."""
        if self._measures:
            return self._with_intervals(answered)
        if not self.gaussian and len(self.quantiles) < 3:
            return self
        found = []
        for outputs, batch in answered:
            assert batch.target is not None
            low, middle, high, share = self._interval(self.predict(outputs, batch), batch)
            known = ~batch.target.isnan()
            found.append(miss(low, middle, high, batch.target)[known].flatten().cpu())
        scale = self._scale * interval_scale(torch.cat(found), share)
        return Forecast(self.options, replace(self.coder, learned={**self.coder.learned, _SCALE: scale}))

    def _with_intervals(self, answered: Iterable[tuple[Tensor, Batch]]) -> Task:
        held = HeldErrors()
        for outputs, batch in answered:
            assert batch.target is not None
            off = batch.target - self.predict(outputs, batch)[..., 0]  # (B, H, C)
            held.add((off / window_spread(batch, off)).cpu().numpy(), batch.rows.tolist())
        if not held.forecasts:
            return self
        curves = held.widths(self._simple, scaled=not self.coder.by_window).curves()
        return Forecast(self.options, replace(self.coder, curves={**self.coder.curves, **curves}))

    def _interval(self, forecast: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor, float]:
        """The low end, middle and high end of each interval, (B, H, C), and the share that it should hold."""
        middle = forecast[..., self._middle]
        if self.gaussian:
            width = _DEVIATIONS * forecast[..., 1].exp()
            return middle - width, middle, middle + width, _MIDDLE
        if self._widths is not None:
            spread = window_spread(batch, middle)
            below, above = (torch.from_numpy(side).to(middle) for side in (self._widths.below, self._widths.above))
            return middle - spread * below, middle, middle + spread * above, SHARE
        return forecast[..., 0], middle, forecast[..., -1], self.quantiles[-1] - self.quantiles[0]

    def predict(self, outputs: Tensor, batch: Batch) -> Tensor:
        """(B, H, C, Q) forecasts in scaled units; for a Gaussian (B, H, C, 2), the mean and log σ."""
        x = batch.inputs[self.coder.target]  # (B, T, W)
        if x.shape[1] == 1:  # as of a live row
            last = x[:, 0, : len(self.channels)]  # (B, C)
        else:
            rows, at = torch.arange(len(x), device=x.device), (batch.lengths - 1).clamp(min=0)
            last = x[rows, at, : len(self.channels)]
        change = outputs.view(-1, *self._shape)
        spread = torch.ones_like(last) if self.gaussian and batch.scale is None else None
        if batch.scale is not None:
            level, spread = batch.scale.unbind(1)  # (B, C)
            last = last * spread + level
        if self.gaussian and spread is not None:
            mean = last[:, None] + spread[:, None] * change[..., 0]
            return torch.stack([mean, bounded(change[..., 1] + spread[:, None].log()) + math.log(self._scale)], -1)
        forecast = last[:, None, :, None] + (change if spread is None else spread[:, None, :, None] * change)
        forecast = forecast.sort(-1).values if self.quantiles else forecast
        middle = forecast[..., self._middle, None]
        return forecast if self._scale == 1 or not self.quantiles else middle + self._scale * (forecast - middle)

    def loss(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        y = batch.target[..., None]  # (B, H, C, 1)
        known = ~y.isnan()
        forecast = self.predict(outputs, batch)
        if self.gaussian:
            return gaussian_nats(forecast[..., 0], forecast[..., 1], batch.target).sum(), known.sum()
        error = torch.where(known, y - forecast, 0.0)
        if self.quantiles:
            q = torch.tensor(self.quantiles, device=error.device)
            per_value = torch.maximum(q * error, (q - 1) * error).mean(-1)
        else:
            per_value = error.square()[..., 0]
        return per_value.sum(), known.sum()

    def score(self, outputs: Tensor, batch: Batch) -> Tensor:
        return self.predict(outputs, batch)[..., self._middle].flatten(1).sum(1)

    def judge(self, outputs: Tensor, batch: Batch) -> Answers:
        units, y = self.coder.units, batch.target
        assert units is not None and y is not None
        forecast = self.predict(outputs, batch)
        answer = forecast[..., self._middle]  # (B, H, C)
        mean, std = (torch.as_tensor(part, device=y.device) for part in (units.mean, units.std))
        judged: Answers = (Forecasts(answer, y, mean, std),)
        if self.gaussian:
            nats = Nats(self.watch, *self.loss(outputs, batch))
            judged += nats, Gaussians(answer, forecast[..., 1].double().exp(), y)
        if self.quantiles:
            judged += (Quantiles(self.quantiles, forecast, y),)
        if self.gaussian or self.quantiles or self._widths is not None:
            low, _, high, share = self._interval(forecast, batch)
            judged += (Intervals(low, high, y, share),)
        if batch.naive is not None:
            judged += (Seasonal(answer, y, batch.rows, batch.naive),)
        return judged

    def answers(self, outputs: Tensor, batch: Batch) -> dict[str, list[Any]]:
        found = self.predict(outputs, batch).detach().double().cpu()  # (B, H, C, Q)
        forecast = found.numpy()  # whose calls cost less for the few numbers of a live row
        units = forecast * self._std[:, None] + self._mean[:, None]
        quantiles = {f"q{100 * q:g}": units[..., place] for place, q in enumerate(self.quantiles)}
        values = {"predicted": units[..., self._middle], **quantiles}
        if self.gaussian:
            values["sigma"] = found[..., 1].exp().numpy() * self._std
        if self._widths is not None:
            middle, spread = forecast[..., self._middle], window_spread(batch, found).cpu().numpy()
            ends = (middle - spread * self._widths.below, middle + spread * self._widths.above)
            values |= {f"q{level}": end * self._std + self._mean for level, end in zip(_ENDS, ends, strict=True)}
        return {column: values[value][:, :, c].tolist() for column, (value, c) in self.recipe["columns"].items()}

    @property
    def recipe(self) -> dict[str, Any]:
        levels = _ENDS if self._widths is not None else [100 * q for q in sorted(self.options.quantiles)]
        values = ["predicted", *(["sigma"] if self.gaussian else []), *(f"q{level:g}" for level in levels)]
        columns = {f"{channel}_{value}": (value, c) for c, channel in enumerate(self.channels) for value in values}
        return {"how": "numbers", "columns": columns}

    def graph(self, outputs: Value, inputs: Mapping[str, Value], lengths: Value) -> dict[str, Shaped]:
        last = last_steps(inputs[self.coder.target], lengths).part(0, len(self.channels), -1)
        of = self._mean, self._std, self.quantiles, self.gaussian, self._middle, self._scale, self._widths
        written = write_forecast(outputs, last, Shape(self._shape, *of))
        return {name: (value, ("rows", *self._shape[:2])) for name, value in written.items()}

    def write_answers(self, program: Program, outputs: Vector) -> None:
        step_forecast(self, program, outputs, self._scale, self._widths)


MEMBER = Forecast
