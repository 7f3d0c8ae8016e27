"""The median of forecasts: exactly the middle one of its parts, whole and live, and rebuilt from its sizes."""

from __future__ import annotations

import pytest
import torch
from forecasting import AIRLINE, ask, windows

from unrolled.solved.median_forecast import MedianForecast
from unrolled.solved.solved_model import SOLVED
from unrolled.tasks.forecast import Forecast

PARTS = ("arima", "ets", "linear_window")


@pytest.fixture(scope="module")
def airline() -> tuple[Forecast, MedianForecast, torch.Tensor]:
    task, examples = ask({"fares": [[float(value) for value in AIRLINE]]}, horizon=12, season=12)
    model = MedianForecast.solve(task, examples, MedianForecast.Options(), 0)
    batch = windows(task, examples)
    parts = []
    for name in PARTS:
        member = SOLVED.get(name)
        parts.append(member.solve(task, examples, member.Options(), 0).run(batch)[0])
    found, _ = model.run(batch)
    assert torch.allclose(found, torch.stack(parts).sort(0).values[1])
    return task, model, found


def test_it_runs_live_as_it_does_whole(airline: tuple[Forecast, MedianForecast, torch.Tensor]) -> None:
    task, model, found = airline
    _, examples = ask({"fares": [[float(value) for value in AIRLINE]]}, horizon=12, season=12)
    batch = windows(task, examples)
    name = task.coder.target
    row = int(batch.lengths.argmin())
    session = model.session(1)
    for step in range(int(batch.lengths[row])):
        pushed = session.push({name: batch.inputs[name][row : row + 1, step]})
    assert torch.allclose(pushed, found[row : row + 1], atol=1e-5)


def test_it_is_rebuilt_from_its_sizes(airline: tuple[Forecast, MedianForecast, torch.Tensor]) -> None:
    task, model, found = airline
    with torch.device("meta"):
        again = MedianForecast(task, MedianForecast.Options(**model.options.model_dump(mode="json")))
    again.load_state_dict(model.state_dict(), assign=True)
    _, examples = ask({"fares": [[float(value) for value in AIRLINE]]}, horizon=12, season=12)
    assert torch.equal(again.run(windows(task, examples))[0], found)


def test_much_data_tells_the_best_of_the_parts() -> None:
    task, examples = ask({"x": [[float(n % 7) for n in range(60_000)]]}, horizon=3, season=7)
    assert not MedianForecast.applies(task, examples)
