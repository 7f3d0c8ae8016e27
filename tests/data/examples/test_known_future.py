"""Columns that are known ahead: what a window holds of them, what it must not, and what a forecast gains by it.

Axes: H steps ahead.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from samples import sequences

import unrolled as ur
from unrolled.baselines._subsample import for_scoring
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.live_row import LiveRow
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.plans.windows import Windows
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Question

H = 3
KINDS = {"y": "number", "x": "number", "plan": "number", "day": "calendar", "when": "elapsed", "mark": "category"}
AHEAD = ("plan", "day", "when", "mark")
SMALL = {"horizon": H, "model": "gru", "hidden": 6, "steps": 4, "device": "cpu", "lookback": 40}


def table(seed: int = 0, lengths: tuple[int, ...] = (12, 2, 3, 4, 9)) -> dict[str, list[list[Any]]]:
    """Rows of steps, some not longer than H; ``plan`` has gaps, also where it is not read."""
    random = np.random.default_rng(seed)
    hours = [np.cumsum(random.integers(1, 50, n)).tolist() for n in lengths]
    return {
        "y": [random.normal(size=n).tolist() for n in lengths],
        "x": [random.normal(size=n).tolist() for n in lengths],
        "plan": [[None if random.random() < 0.4 else float(v) for v in random.normal(size=n)] for n in lengths],
        "day": [[datetime(2026, 1, 1) + timedelta(hours=h) for h in row] for row in hours],
        "when": [[datetime(2026, 1, 1) + timedelta(hours=h) for h in row] for row in hours],
        "mark": [random.choice(["a", "b", "c"], n).tolist() for n in lengths],
    }


def coded(columns: dict[str, Any], ahead: tuple[str, ...] = AHEAD) -> tuple[Preprocessor, Sequences]:
    data = sequences(columns, KINDS, "plans.jsonl")
    roles = Forecast.roles(Question(data, ("y",), (), {"horizon": H, "known_ahead": ahead}))
    return Preprocessor.fit(data, roles, Preparation()), data


def windows(coder: Preprocessor, data: Sequences) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """(inputs, rows, stops) of every window of 4 steps, in one batch."""
    examples = coder.encode(data)
    rows, stops = examples.window_ends()
    (batch,) = Loader(examples, Windows(rows, stops, 4, batch=len(rows)))
    return {name: value.numpy() for name, value in batch.inputs.items()}, rows, stops


def test_what_is_known_ahead_is_read_early() -> None:
    """Each step of each window by hand: of what is known ahead the value H steps later, of all else its own."""
    columns = table()
    coder, data = coded(columns)
    inputs, rows, stops = windows(coder, data)
    assert len(rows) == sum(max(n - H, 0) for n in (12, 2, 3, 4, 9))
    plan, x = coder.inputs["plan"], coder.inputs["x"]
    for window, (row, stop) in enumerate(zip(rows, stops, strict=True)):
        steps = range(max(stop - 4, 0), stop)
        for place, t in enumerate(steps):
            value = columns["plan"][row][t + H]
            told = inputs["plan"][window, place]
            assert plan.decode(told[None]) == [pytest.approx(value, abs=1e-6) if value is not None else None]
            since = [t + H - k for k in range(H, t + H + 1) if columns["plan"][row][k] is not None]
            assert told[2] == pytest.approx(np.log1p(min(since, default=t)), rel=1e-6)
            assert x.decode(inputs["x"][window, place][None]) == [pytest.approx(columns["x"][row][t], abs=1e-6)]
            labels = coder.inputs["mark"].decode(inputs["mark"][window, place : place + 1])
            assert labels == [columns["mark"][row][t + H]]
        assert not inputs["plan"][window, len(steps) :].any()


@pytest.mark.parametrize("name", KINDS)
def test_nothing_else_of_the_future_is_read(name: str) -> None:
    """Another value of one column at one step changes the windows that may know it, and to the bit no other."""
    columns = table()
    coder, data = coded(columns)
    before, rows, stops = windows(coder, data)
    for row, step in [(0, 5), (0, 11), (4, 4), (4, 5)]:
        changed = table()
        changed[name][row][step] = {"mark": "b" if columns["mark"][row][step] != "b" else "c"}.get(name, 7.5)
        if name in ("day", "when"):
            changed[name][row][step] = columns[name][row][step] + timedelta(minutes=7)
        after, *_ = windows(coder, replace(data, table=pa.table(changed)))
        knows = stops + (H if name in AHEAD else 0)  # the first step that is beyond a window's sight
        for column, values in before.items():
            moved = (after[column] != values).reshape(len(rows), -1).any(1)
            assert not moved[(rows != row) | (knows <= step)].any()
            if column == ("y" if name == "series" else name):
                last = (rows == row) & (knows == step + 1)
                assert moved[last].all()


def test_live_steps_are_as_in_the_file() -> None:
    """C1: a step is pushed with what is known H steps later in its place."""
    columns = table()
    coder, data = coded(columns)
    examples = coder.encode(data)
    for row in range(len(data)):
        before: dict[str, Any] = {}
        for t in range(len(columns["y"][row]) - H):
            step = {name: column[row][t + H if name in AHEAD else t] for name, column in columns.items()}
            (live,), before = LiveRow(coder).encode(step, before)
            for name, encoded in examples.inputs.items():
                assert encoded.offsets is not None
                assert np.array_equal(live[name], encoded.values[encoded.offsets[row] + t])


def test_a_coder_with_columns_known_ahead_comes_back_from_its_files() -> None:
    coder, data = coded(table())
    again = Preprocessor.from_files(coder.to_files())
    assert again.ahead == AHEAD
    assert np.array_equal(again.encode(data).inputs["plan"].values, coder.encode(data).inputs["plan"].values)
    for wrong in (["y"], ["nothing"]):
        files = coder.to_files()
        files["coder.json"] = json.dumps({**json.loads(files["coder.json"]), "ahead": wrong}).encode()
        with pytest.raises(ModelError, match="the encodings of this model cannot be read"):
            Preprocessor.from_files(files)


def test_what_may_not_be_known_ahead_is_refused() -> None:
    data = sequences({**table(), "place": list("uvwxy")}, {**KINDS, "place": "category"}, "plans.jsonl")

    def roles(*ahead: str, inputs: tuple[str, ...] = ()) -> Any:
        return Forecast.roles(Question(data, ("y",), inputs, {"horizon": H, "known_ahead": ahead}))

    assert roles("mark", inputs=("x",)).inputs == ("y", "x", "mark")
    assert Forecast.roles(Question(data, (), (), {"horizon": H, "known_ahead": ("plan",)})).joined == (
        "y",
        "x",
    )  # what is to come is not asked
    with pytest.raises(DataError, match=r"^plans.jsonl, column 'plam': there is no such column \(Did you mean 'plan'"):
        roles("plam")
    with pytest.raises(UsageError, match="^known_ahead cannot hold 'y', which is the target of the forecast$"):
        roles("y")
    text = "^known_ahead holds 'place', which has one value per sequence and is always known; leave it out$"
    with pytest.raises(UsageError, match=text):
        roles("place")
    with pytest.raises(
        UsageError, match="^known_ahead only works with the task 'forecast'; this run's task is 'next_step'.$"
    ):
        ur.fit({"y": [[1.0, 2.0]] * 3}, task="next_step", known_ahead=["y"])


def test_errors_name_the_step_of_the_file() -> None:
    columns = table()
    coder, data = coded(columns)
    columns["plan"][4][6] = float("nan")
    with pytest.raises(DataError, match="^plans.jsonl, row 5, column 'plan': step 7: the value is NaN"):
        coder.encode(replace(data, table=pa.table(columns)))
    columns["plan"][4][6] = 1.0
    plain = {**columns, "plan": [1.0] * 5}
    with pytest.raises(DataError, match="^plans.jsonl, column 'plan': expected a list in each row, found double$"):
        coder.encode(replace(data, table=pa.table(plain)))
    with pytest.raises(DataError, match="^plans.jsonl, row 1, column 'plan': has 0 steps, but 'y' has 12"):
        coder.encode(replace(data, table=pa.table({**columns, "plan": pa.nulls(5)})))
    columns["plan"][2] = [1.0]
    with pytest.raises(DataError, match="^plans.jsonl, row 3, column 'plan': has 1 step, but 'y' has 3"):
        coder.encode(replace(data, table=pa.table(columns)))


def test_a_baseline_may_be_scored_on_a_share() -> None:
    coder, data = coded(table(lengths=(30, 20, 40)))
    part = for_scoring(coder.encode(data), 60 * 11)
    assert 0 < int(part.steps().sum()) < 90
    for column in part.inputs.values():
        assert column.offsets is not None
        assert len(column.values) == column.offsets[-1]


def shops(seed: int, days: int = 60, ahead: int = 0) -> list[dict[str, Any]]:
    """Sales are noise, but for days that a plan announces; of the last ``ahead`` days the plan alone is known."""
    random = np.random.default_rng(seed)
    rows = []
    for shop in ("north", "south"):
        for day in range(days):
            sale = bool(random.random() < 0.15)
            sold = random.normal(scale=0.3) + 5 * sale
            rows.append({"shop": shop, "day": day, "sold": None if day >= days - ahead else sold, "plan": float(sale)})
    return rows


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ur.Trained:
    options = {"by": "shop", "order": "day", "target": "sold", "known_ahead": ["plan"], "test": 0.2}
    return ur.load(ur.fit(shops(0), out=tmp_path_factory.mktemp("runs") / "run", **options, **SMALL).folder)


def test_answers_are_of_the_last_steps_and_know_no_more_than_they_may(trained: ur.Trained) -> None:
    """Live = in the file; what is planned for the steps to come changes the answer, and nothing else there does."""
    rows = shops(1, ahead=H)
    table = trained.predict(rows)
    answers = table["sold_predicted"].to_pylist()
    assert table.num_rows == 2
    assert [len(answer) for answer in answers] == [H, H]
    for shop, answer in zip(("north", "south"), answers, strict=True):
        own = [row for row in rows if row["shop"] == shop]
        live = trained.stream()
        for now, later in zip(own[:-H], own[H:], strict=True):
            last = live.push({"sold": now["sold"], "plan": later["plan"]})
        assert last["sold_predicted"] == pytest.approx(answer, rel=1e-4)
    for place in range(60 - H, 60):
        other = [dict(row) for row in rows]
        other[place]["plan"] = 1 - other[place]["plan"]
        again = trained.predict(other)["sold_predicted"].to_pylist()
        assert again[0] != answers[0]
        assert again[1] == answers[1]
    late = [dict(row) for row in rows]
    late[H - 1]["plan"] = 1 - late[H - 1]["plan"]  # what stands before the first step is never read
    assert trained.predict(late)["sold_predicted"].to_pylist() == answers
    assert trained.backtest(shops(2), 4).by_origin[3].keys() >= {"mse_scaled"}
    assert trained.evaluate(shops(2)).keys() >= {"mse_scaled", "mase"}


def test_a_series_without_its_steps_to_come_is_named(trained: ur.Trained) -> None:
    rows = shops(1, ahead=H)
    kept = [row for place, row in enumerate(rows) if place != 119]
    with pytest.raises(DataError) as caught:
        trained.predict(kept)
    assert str(caught.value) == (
        "your data, row 2, column 'shop': 'south' ends with 2 steps without sold, but the forecast covers 3 steps "
        "(add a row for each of the next 3 steps; fill in plan and leave sold empty)"
    )
    with pytest.raises(DataError, match="row 1, column 'shop': 'north' ends with 0 steps without sold"):
        trained.predict(shops(1))
    with pytest.raises(DataError, match="row 1, column 'shop': 'north' ends with 1 steps without sold"):
        trained.predict(rows[59:])


def test_a_forecast_is_far_better_for_what_it_knows_ahead(tmp_path: Path) -> None:
    options = {**SMALL, "model": "window", "window": 4, "lookback": 4, "steps": 250, "lr": 0.02, "test": 0.2}
    options |= {"by": "shop", "order": "day", "target": "sold"}
    rows = shops(0, days=200)
    knows = ur.fit(rows, out=tmp_path / "a", known_ahead=["plan"], **options).metrics["test"]["mse_scaled"]
    does_not = ur.fit(rows, out=tmp_path / "b", **options).metrics["test"]["mse_scaled"]
    assert knows < does_not / 4


@pytest.mark.parametrize("scale", ["training", "window"])
def test_the_calendar_of_the_steps_to_come(scale: str, tmp_path: Path) -> None:
    """The column that orders the steps may be known ahead, once it has a kind; the file is read back as it was."""
    start = datetime(2026, 1, 1)
    days = [{"date": start + timedelta(days=n), "load": None if n > 56 else float(n % 7 == 3)} for n in range(60)]
    options = {
        "order": "date",
        "kinds": {"date": "calendar"},
        "known_ahead": ["date"],
        "target": "load",
        "scale": scale,
    }
    said: list[str] = []
    model = ur.fit(days[:57], out=tmp_path / "run", say=said.append, **options, **SMALL)
    line = "input date: calendar: time of day, day of the week, day of the year, known 3 steps ahead"
    assert line in said
    assert len(ur.load(tmp_path / "run").predict(days)["load_predicted"][0].as_py()) == H
    with pytest.raises(DataError, match="column 'date': is left out: it holds dates or times.*calendar with kinds"):
        ur.fit(days, **{**options, "kinds": {}}, **SMALL)
    assert list(model.task.coder.inputs) == ["load", "date"]
