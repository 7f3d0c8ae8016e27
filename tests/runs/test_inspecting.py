"""Inspections of rows that have little in them: no step, one step, no target, symbols that were never seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.runs import pieces, traced_rows
from unrolled.runs.inspecting import Inspection
from unrolled.runs.trained import Trained

SMALL: dict[str, Any] = {"blend": "none", "only": "none", "steps": 2, "hidden": 4, "quiet": True, "model": "gru"}


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of the sum of a row."""
    rows = np.random.default_rng(0).random((40, 30)).round(2).tolist()
    data = {"x": rows, "y": [sum(row) for row in rows]}
    return ur.fit(data, target="y", out=tmp_path_factory.mktemp("sums") / "run", **SMALL)


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model of what is clicked next."""
    rows = [[f"item{(k * k + j) % 7}" for j in range(6)] for k in range(30)]
    return ur.fit({"clicks": rows}, out=tmp_path_factory.mktemp("clicks") / "run", **SMALL)


def says(found: Inspection) -> dict[str, str]:
    return dict(found.verdicts)


def test_a_row_without_a_target_keeps_its_number(sums: Trained) -> None:
    rows = [[0.5] * 30, [0.1, 0.9] * 15, [0.2, 0.3] * 15]
    last = ur.inspect(sums, {"x": rows, "y": [None, 1.0, 2.0]}, row=2)
    alone = ur.inspect(sums, {"x": rows[2:], "y": [2.0]})
    assert last.dynamics == alone.dynamics and not isinstance(last.dynamics, str)
    without = ur.inspect(sums, {"x": rows, "y": [None, 1.0, 2.0]})
    assert without.trace.difference <= 1e-5
    assert not isinstance(without.reach, str)  # the other rows have targets


def test_of_much_data_the_first_rows_are_looked_at_and_the_one_asked_for(
    sums: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [[number / 10, 0.5] * 15 for number in range(9)]
    data = {"x": rows, "y": [float(number) for number in range(9)]}
    whole = ur.inspect(sums, data, row=4)
    monkeypatch.setattr(pieces, "_ROWS", 2)
    monkeypatch.setattr(traced_rows, "_ROWS", 2)
    monkeypatch.setattr(traced_rows, "_MOST", 3)
    some = ur.inspect(sums, data, row=4)
    assert some.notes[0] == "only the first 6 rows of your data were looked at"
    assert some.trace.outputs.equal(whole.trace.outputs) and not whole.notes
    assert not ur.inspect(sums, data, row=8).notes


def test_data_in_which_every_target_is_missing_has_no_loss(sums: Trained) -> None:
    found = ur.inspect(sums, {"x": [[0.5] * 30], "y": [None]})
    assert "every value of the target is missing" in says(found)["reach"]
    assert says(found)["context"].startswith("not measured: ")


@pytest.mark.parametrize("rows", [[["item1"]], [[], ["item1", "item2", "item3"]]])
def test_rows_of_no_step_or_one_are_said_to_be_too_short(clicks: Trained, rows: list[list[str]]) -> None:
    found = ur.inspect(clicks, {"clicks": rows})
    assert "too few" in says(found)["gates"]
    assert says(found)["answer"] == "not measured: the row has no step that is answered"
    found.to_html()
    assert "1 steps" not in str(found) and "-1" not in says(found)["answer"]


def test_an_empty_row_of_one_answer_has_nothing_that_it_rests_on(sums: Trained) -> None:
    found = ur.inspect(sums, {"x": [[], [0.5, 0.1]], "y": [1.0, 2.0]})
    assert says(found)["answer"] == "not measured: the row has no step that is answered"
    found.to_html()


def test_a_forecast_of_a_row_that_is_too_short(tmp_path: Path) -> None:
    data = {"load": [np.sin(np.arange(60) / 3 + k).tolist() for k in range(6)]}
    options: dict[str, Any] = {**SMALL, "start": None, "horizon": 4, "lookback": 8, "target": "load"}
    model = ur.fit(data, out=tmp_path / "run", **{k: v for k, v in options.items() if v is not None})
    found = ur.inspect(model, {"load": [[1.0]]})
    assert says(found)["units"] == "not measured: no row has enough steps for an answer"
    found.to_html()


def test_what_was_never_seen_is_said_once_of_the_whole_data(clicks: Trained, caplog: pytest.LogCaptureFixture) -> None:
    found = ur.inspect(clicks, {"clicks": [["item1", "new"] * 4, ["item2", "item3"] * 4]})
    assert [line for line in found.notes if "not seen" in line] == ["clicks: 4 of 16 labels were not seen in training"]
    assert not caplog.records


def test_a_written_answer_has_the_losses_of_its_symbols(tmp_path: Path) -> None:
    data = {"digits": ["1 2 3", "4 5", "6 7"] * 10, "back": ["3 2 1", "5 4", "7 6"] * 10}
    options: dict[str, Any] = {"target": "back", "task": "translate", "tokens": "words", **SMALL}
    model = ur.fit(data, out=tmp_path / "run", **{k: v for k, v in options.items() if k not in ("blend", "only")})
    found = ur.inspect(model, data)
    assert found.trace.batch is not None
    losses = model.task.each(found.trace.outputs, found.trace.batch)[0][0]
    assert f"written symbols 0 to {len(losses) - 1}: the mean loss is {losses.mean():.3g}" in says(found)["worst steps"]
    assert f"{losses.max():.3g}, is that of symbol {int(losses.argmax())}" in says(found)["worst steps"]
    assert "(logit " in says(found)["answer"]
    without = ur.inspect(model, {"digits": ["1 2 3"]})
    assert says(without)["worst steps"] == "none: the row has no target"


def test_the_answer_that_is_explained_has_steps_before_it(clicks: Trained) -> None:
    found = ur.inspect(clicks, {"clicks": [["item1", "item2", "item3", "item4"]] * 3})
    assert not isinstance(found.why, str) and found.why.step != 0
