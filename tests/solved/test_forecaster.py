"""What every classical forecaster promises, over all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from forecasting import AIRLINE, after, ask, windows

from unrolled.batch import Batch
from unrolled.solved._forecaster import Forecaster
from unrolled.solved._naive import Naive
from unrolled.solved.solved_model import SOLVED, solve_all
from unrolled.state import select

_random = np.random.default_rng(5)
DEMAND = [float(n) for n in _random.poisson(0.4, 90)]
WAVE = (5 + np.sin(np.arange(90)) + _random.normal(0, 0.2, 90)).round(3).tolist()
GAPS: list[float | None] = [None if t % 7 == 3 or t < 2 else value for t, value in enumerate(WAVE)]
DATA: dict[str, Any] = {
    "seasons": {"columns": {"y": [AIRLINE[:100], AIRLINE[30:90]]}, "horizon": 4, "season": 12},
    "channels and gaps": {"columns": {"y": [GAPS], "z": [WAVE]}, "horizon": 3, "season": 7},
    "demand": {"columns": {"y": [DEMAND]}, "horizon": 3, "season": 1},
    "quantiles": {"columns": {"y": [AIRLINE]}, "horizon": 3, "season": 12, "quantiles": (0.1, 0.5, 0.9)},
    "gaussian": {"columns": {"y": [AIRLINE]}, "horizon": 3, "season": 12, "distribution": "gaussian"},
    "window scale": {"columns": {"y": [AIRLINE]}, "horizon": 3, "season": 12, "scale": "window"},
    "early steps only": {"columns": {"y": [AIRLINE]}, "horizon": 3, "season": 12, "lookback": 15},
}


def classical() -> list[str]:
    return [name for name, member in SOLVED.members().items() if issubclass(member, Forecaster)]


CASES = [(data, name) for data in DATA for name in classical() if (name == "croston") == (data == "demand")]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case), scope="module")
def solved(request: pytest.FixtureRequest) -> tuple[Any, Forecaster, Batch]:
    data, name = request.param
    task, train = ask(**DATA[data])
    model = SOLVED.get(name).solve(task, train, SOLVED.get(name).Options(), 0)
    return task, model.eval(), windows(task, train)


def outputs(model: Forecaster, batch: Batch, state: Any = None) -> tuple[torch.Tensor, Any]:
    with torch.no_grad():
        return model.run(batch, state)


def test_whole_is_step_by_step_is_chunks(solved: tuple[Any, Forecaster, Batch]) -> None:
    _, model, batch = solved
    whole, _ = outputs(model, batch)
    assert whole.isfinite().all()
    ((name, x),) = batch.inputs.items()
    live = model.session(len(x))
    for t in range(x.shape[1]):
        answer = live.push({name: x[:, t]})
        ends = batch.lengths == t + 1
        assert torch.equal(answer[ends], whole[ends])
    state = None
    for start, stop in ((0, 1), (1, 9), (9, x.shape[1])):
        lengths = (batch.lengths - start).clamp(0, stop - start)
        chunk = replace(batch, inputs={name: x[:, start:stop]}, lengths=lengths, target=None)
        answer, state = outputs(model, chunk, state)
    assert torch.equal(answer, whole)


def test_padding_is_not_read_and_rows_do_not_meet(solved: tuple[Any, Forecaster, Batch]) -> None:
    _, model, batch = solved
    whole, state = outputs(model, batch)
    ((name, x),) = batch.inputs.items()
    padding = torch.arange(x.shape[1]) >= batch.lengths[:, None]
    x = x.masked_fill(padding[..., None], torch.nan)
    order = torch.tensor([7, 2])
    few = Batch({name: x[order]}, batch.lengths[order], batch.rows[order])
    answer, left = outputs(model, few)
    assert torch.equal(answer, whole[order])
    for a, b in zip(left.own, select(state, order).own, strict=True):
        assert a is b is None or torch.equal(a, b)


def test_rebuilt_from_its_options_and_weights(solved: tuple[Any, Forecaster, Batch]) -> None:
    task, model, batch = solved
    with torch.device("meta"):
        empty = type(model)(task, model.options)
    empty.load_state_dict(model.state_dict(), assign=True)
    assert all(weight.dtype == torch.float32 for weight in model.state_dict().values())
    assert torch.equal(outputs(empty, batch)[0], outputs(model, batch)[0])


def test_better_than_the_last_value(solved: tuple[Any, Forecaster, Batch]) -> None:
    task, model, batch = solved
    if isinstance(model, Naive):
        pytest.skip("the last value and the like are what others are better than")
    found, known = task.loss(outputs(model, batch)[0], batch)
    if not task.gaussian and (task.batching.lookback > 15 or model.name != "arima"):  # 15 values are less than it needs
        nothing, _ = task.loss(torch.zeros_like(outputs(model, batch)[0]), batch)
        assert float(found) < float(nothing)
    assert float(found / known) < 2.5


@pytest.mark.parametrize("name", classical())
def test_solving_is_deterministic(name: str) -> None:
    task, train = ask({"y": [DEMAND if name == "croston" else AIRLINE]}, 2, 12)
    first, second = (SOLVED.get(name).solve(task, train, SOLVED.get(name).Options(), 3).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    "values",
    [
        AIRLINE[:12],
        AIRLINE[:24],
        [5.0] * 20,
        [0.0] * 9 + [1.0] + [0.0] * 6,
        [1e9 + t for t in range(14)],
        [None, *WAVE[:12]],
    ],
)
def test_short_and_plain_series_are_answered(values: list[float | None]) -> None:
    task, train = ask({"y": [values]}, 3, 12, quantiles=(0.1, 0.9))
    models = solve_all(task, train, {}, 0)
    assert {"arima", "ets", "theta"} <= models.keys()
    for model in (model for model in models.values() if isinstance(model, Forecaster)):
        low, middle, high = (np.array(after(task, model, train)[f"y_{of}"]) for of in ("q10", "predicted", "q90"))
        assert np.isfinite([low, middle, high]).all() and (low <= middle).all() and (middle <= high).all()
        known = [value for value in values if value is not None]
        assert np.abs(middle - known[-1]).max() <= 2 * np.ptp(known) + 1e-6 * abs(known[-1])


def test_many_channels_share_their_weights() -> None:
    columns = {f"c{n}": [(np.sin(2 * np.pi * (np.arange(80) + n) / 8) + n).tolist()] for n in range(20)}
    task, train = ask(columns, 8, 8)
    model = SOLVED.get("ets").solve(task, train, SOLVED.get("ets").Options(), 0)
    assert model.early.shape[0] == 1
    found = after(task, model, train)
    for n in range(20):
        right = np.sin(2 * np.pi * (np.arange(80, 88) + n) / 8) + n
        assert np.array(found[f"c{n}_predicted"])[0] == pytest.approx(right, abs=0.02)


def test_intervals_hold_what_they_say() -> None:
    """On a random walk, whose intervals grow with the root of the step ahead."""
    walk = np.cumsum(np.random.default_rng(0).normal(size=900))
    task, train = ask({"y": [walk[:600].tolist()]}, 4, 1, quantiles=(0.1, 0.5, 0.9))
    model = SOLVED.get("ets").solve(task, train, SOLVED.get("ets").Options(), 0)
    std = float(task.coder.units.std[0])  # type: ignore[union-attr]
    width = (model.spread[:, 0, 2] - model.spread[:, 0, 0]).numpy() * std
    assert width == pytest.approx(2 * 1.2816 * np.sqrt([1, 2, 3, 4]), rel=0.12)
