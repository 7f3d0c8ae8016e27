"""The last value, the last season and the mean: right values, gaps, both forms, and the season that is found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from forecasting import ask, windows
from samples import SAMPLES, Sample, sequences

from unrolled.baselines._forecasts import known_so_far, means
from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.metrics.scoring import scores
from unrolled.solved._naive import Naive
from unrolled.solved.last_value import LastValue
from unrolled.solved.mean import Mean
from unrolled.solved.seasonal_naive import SeasonalNaive
from unrolled.solved.solved_model import SOLVED
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate, outputs_over

MEMBERS: list[type[Naive]] = [LastValue, Mean, SeasonalNaive]


def walk(seed: int, length: int, width: int = 1, missing: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=(length, width)).cumsum(0).astype(np.float32)
    values[random.random(values.shape) < missing] = np.nan
    return values


def listed(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]


def columns(rows: Sequence[np.ndarray]) -> dict[str, Any]:
    """Channels as columns, one row each."""
    return {f"c{c}": [listed(row[:, c]) for row in rows] for c in range(rows[0].shape[1])}


def plain(examples: Examples, period: int | None) -> dict[str, float]:
    """Every window, step and channel of a seasonal naive forecast, one after the other; ``None``: the mean."""
    assert examples.target is not None and examples.target.offsets is not None
    otherwise = means(examples)
    errors = []
    for start, end in zip(examples.target.offsets[:-1], examples.target.offsets[1:], strict=True):
        row = examples.target.values[start:end]
        for stop in range(1, len(row) - examples.horizon + 1):
            for h, channel in np.ndindex(examples.horizon, row.shape[1]):
                at = -1 if period is None else stop + h % period - period
                at = at if at >= 0 or period is None else stop - 1
                while at >= 0 and np.isnan(row[at, channel]):
                    at -= 1
                errors.append((row[at, channel] if at >= 0 else otherwise[channel]) - row[stop + h, channel])
    error = np.array(errors, np.float64)
    error = error[~np.isnan(error)]
    return {"mse_scaled": float(np.square(error).mean()), "mae_scaled": float(np.abs(error).mean())}


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_forecasts_equal_plain_loops(missing: float) -> None:
    rows = [walk(0, 30, 2, missing), walk(1, 9, 2, missing), walk(2, 17, 2, missing)]
    task, train = ask(columns(rows), 4, 1)
    for member, period in ((LastValue, 1), (Mean, None), (SeasonalNaive, 7), (SeasonalNaive, 3)):
        options = member.Options(period=period) if member is SeasonalNaive else member.Options()
        model = member.solve(task, train, options, 0)
        found, wanted = evaluate(model, task, train, TrainingConfig()), plain(train, period)
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-5), (member, period)


def test_the_next_step_of_real_numbers() -> None:
    rows = [walk(0, 40, missing=0.2), walk(1, 12)]
    sample = Sample("next_step", sequences({"y": [listed(row[:, 0]) for row in rows]}, {"y": "number"}))
    task = sample.ask()
    train = sample.examples(task)
    assert train.target is not None
    values, known = train.target.values, known_so_far(train, means(train))
    steps = np.array([t for t in range(1, 52) if t != 40 and not np.isnan(values[t, 0])])
    for member, answer in ((LastValue, known[steps - 1]), (Mean, means(train))):
        assert isinstance(train.form, Next) and member.applies(task, train) and not SeasonalNaive.applies(task, train)
        model = member.solve(task, train, member.Options(), 0)
        found, error = evaluate(model, task, train, TrainingConfig()), values[steps] - answer
        assert found["mse_scaled"] == pytest.approx(np.square(error).mean(), rel=1e-4)
        assert found["mae_scaled"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
        # A Gaussian with the deviation of the errors on the same data has this loss.
        nats = 0.5 + 0.5 * math.log(2 * math.pi * float(np.square(error).mean()))
        assert found["nll_nats_per_step"] == pytest.approx(nats, rel=1e-3)


def test_the_next_step_live_in_chunks_and_rebuilt() -> None:
    sample = SAMPLES["next_step real"]
    task = sample.ask()
    train = sample.examples(task)
    for member in (LastValue, Mean):
        model = member.solve(task, train, member.Options(), 0)
        again = member(task, model.options)
        again.load_state_dict(model.state_dict())
        for outputs, batch in outputs_over(model, task, train, TrainingConfig()):
            ((name, x),) = batch.inputs.items()
            x = x.masked_fill(torch.arange(x.shape[1])[None, :, None] >= batch.lengths[:, None, None], torch.nan)
            batch = Batch({name: x}, batch.lengths, batch.rows)
            whole, end = again.run(batch)
            assert torch.equal(whole, outputs)
            live = model.session(len(x))
            pushed = torch.stack([live.push({name: x[:, t]}) for t in range(x.shape[1])], 1)
            real = torch.arange(x.shape[1]) < batch.lengths[:, None]
            assert torch.equal(pushed[real], whole[real]) and not whole[~real].any()
            early, state = model.run(Batch({name: x[:, :3]}, batch.lengths.clamp(max=3), batch.rows))
            late, after = model.run(Batch({name: x[:, 3:]}, (batch.lengths - 3).clamp(min=0), batch.rows), state)
            assert torch.equal(torch.cat([early, late], 1), whole)
            assert torch.equal(after.own.values, end.own.values) and torch.equal(after.seen, end.seen)


@pytest.mark.parametrize("period", [7, 24, 31])
def test_the_period_is_found(period: int) -> None:
    shape = np.random.default_rng(period).normal(size=(period, 2))
    noise = np.random.default_rng(0).normal(size=(600, 2)) * 0.2
    values = np.tile(shape, (600 // period + 1, 1))[:600] + noise
    task, train = ask(columns([values[:500]]), 10, 1)
    assert SeasonalNaive.solve(task, train, SeasonalNaive.Options(), 0).options.period % period == 0
    task, train = ask(columns([values[:500]]), 10, 1, lookback=period - 1)
    assert SeasonalNaive.solve(task, train, SeasonalNaive.Options(), 0).options.period < period


def test_without_a_season_it_is_the_last_value() -> None:
    task, train = ask(columns([walk(0, 900)]), 6, 1, quantiles=(0.1, 0.9))
    model, other = (member.solve(task, train, member.Options(), 0) for member in (SeasonalNaive, LastValue))
    assert model.options.period == 1
    batch = windows(task, train)
    assert torch.equal(model.run(batch)[0], other.run(batch)[0])


def test_short_flat_and_unknown_series() -> None:
    for values in ([0.0] * 5, [1.0] * 50, [None] * 19 + [3.0]):
        task, train = ask({"y": [values]}, 3, 1)
        for member in MEMBERS:
            model = member.solve(task, train, member.Options(), 0)
            assert model.options.model_dump().get("period", 1) == 1
            assert evaluate(model, task, train, TrainingConfig()).get("mse_scaled", 0) == pytest.approx(0, abs=1e-9)


def test_a_deviation_grows_with_the_steps_ahead_of_a_walk() -> None:
    task, train = ask(columns([walk(0, 900)]), 4, 1, distribution="gaussian")
    model = LastValue.solve(task, train, LastValue.Options(), 0)
    std = float(train.units.std[0])  # type: ignore[union-attr]
    assert (model.spread[:, 0, 1].exp() * std).tolist() == pytest.approx(np.sqrt([1, 2, 3, 4]), rel=0.1)


def test_what_they_apply_to() -> None:
    def able(member: type[Naive]) -> set[str]:
        asked: dict[str, Task] = {name: sample.ask() for name, sample in SAMPLES.items()}
        return {name for name, task in asked.items() if member.applies(task, SAMPLES[name].examples(task))}

    forecasts = {name for name in SAMPLES if name.startswith("forecast")}
    assert able(SeasonalNaive) == forecasts
    assert able(LastValue) == able(Mean) == forecasts | {"next_step real"}
    assert {"last_value", "mean", "seasonal_naive"} <= SOLVED.members().keys()
    task, train = ask(columns([walk(0, 60)]), 4, 1, scale="window")
    assert LastValue.applies(task, train) and not Mean.applies(task, train)


def test_where_the_units_are_known_there_are_more_scores() -> None:
    rows = [walk(3, 20, 2) + 9]
    task, train = ask(columns(rows), 2, 1)
    found = scores(
        task.judge(outputs, batch)
        for outputs, batch in outputs_over(
            LastValue.solve(task, train, LastValue.Options(), 0), task, train, TrainingConfig()
        )
    )
    percent = []
    for stop in range(1, 19):
        for h, c in np.ndindex(2, 2):
            answer, y = float(rows[0][stop - 1, c]), float(rows[0][stop + h, c])
            percent.append(200 * abs(answer - y) / (abs(answer) + abs(y)))
    assert found["smape_percent"] == pytest.approx(np.mean(percent), rel=1e-4)
