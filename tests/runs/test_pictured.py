"""Tables of predictions as charts: what was observed, what is answered, and how sure the model is."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError
from unrolled.runs.pictured import MOST, check_pictured, pictured, with_what_came

SVG = "{http://www.w3.org/2000/svg}"


def task(layout: str, target: str, labels: Any = (), horizon: int = 0, ahead: tuple[str, ...] = ()) -> Any:
    coder = SimpleNamespace(target=target, horizon=horizon, ahead=ahead, joined=())
    return SimpleNamespace(name="a task", layout=layout, labels=labels, coder=coder)


def answered(data: dict[str, Any], answers: dict[str, Any]) -> pa.Table:
    table = pa.table(data)
    for name, values in answers.items():
        array = pa.array(values)
        table = table.append_column(pa.field(name, array.type, metadata={"predicted": ""}), array)
    return table


def texts(svg: str) -> list[str]:
    return [of.text or "" for of in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def groups(svg: str, name: str) -> list[ElementTree.Element]:
    return [of for of in ElementTree.fromstring(svg).iter(f"{SVG}g") if of.get("class") == name]


def points(group: ElementTree.Element) -> int:
    """The number of points of the first path of a mark."""
    return (group[0].get("d") or "").replace("L", " ").replace("M", " ").count(" ") // 2


def test_a_forecast_shows_the_past_the_forecast_and_its_intervals() -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(12)]
    table = answered(
        {"site": ["north"], "day": [days[:10]], "load": [[1.0, 2, 3, None, 5, 6, 7, 8, 9, 10]]},
        {
            "day_ahead": [days[10:]],
            "load_last": [10.0],
            "load_predicted": [[11.0, 12.0]],
            "load_q10": [[9.0, 9.0]],
            "load_q90": [[13.0, 14.0]],
            "load_q25": [[10.0, 10.0]],
            "load_q75": [[12.0, 13.0]],
        },
    )
    svg = pictured(task("ahead", "load", horizon=2), table, "site")
    assert {"north", "day", "load", "observed", "forecast", "80 % interval", "50 % interval"} <= {*texts(svg)}
    past, forecast = groups(svg, "line")
    assert (points(past), points(forecast)) == (7, 2), "four horizons of the past, of which a step is missing"
    assert len(groups(svg, "band")) == 2
    assert "observed: 8 values from 3 to 10" not in svg, "one of the eight is missing"
    assert "observed: 7 values from 3 to 10, and 1 without a value" in svg


def test_without_dates_steps_are_counted_and_a_gaussian_has_its_interval() -> None:
    table = answered({"x": [[1.0, 2.0, 3.0]]}, {"x_predicted": [[4.0, 5.0]], "x_sigma": [[1.0, 2.0]]})
    svg = pictured(task("ahead", "x", horizon=2), table, None)
    assert {"row 1", "step", "80 % interval"} <= {*texts(svg)}


def test_a_known_future_is_not_the_past_and_the_fitted_past_is_drawn() -> None:
    data = {"x": [[1.0, 2.0, 3.0, None, None]]}
    table = answered(data, {"x_predicted": [[4.0, 5.0]], "x_fitted": [[None, 1.5, 2.5]]})
    svg = pictured(task("ahead", "x", horizon=2, ahead=("holiday",)), table, None)
    past, forecast, fitted = groups(svg, "line")
    assert (points(past), points(fitted), points(forecast)) == (3, 2, 2)
    assert "forecast one step ahead" in texts(svg)


def test_what_came_later_is_found_by_its_time_and_else_counted() -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(4)]
    forecast = {"x_predicted": [[4.0, 5.0]]}
    dated = answered({"s": ["a"], "day": [days[:2]], "x": [[1.0, 2.0]]}, {**forecast, "day_ahead": [days[2:]]})
    later = Sequences(pa.table({"s": ["b", "a"], "day": [days, days[1:3]], "x": [[0.0] * 4, [2.0, 3.0]]}), {})
    asked = task("ahead", "x", horizon=2)
    both = with_what_came(asked, dated, later, "s")
    assert str(both.column("x_came").to_pylist()) == "[[3.0, nan]]"
    svg = pictured(asked, both, "s")
    assert "what came: 1 value from 3 to 3, and 1 without a value" in svg and len(groups(svg, "line")) == 3
    counted = Sequences(pa.table({"x": [[1.0, 2.0, 3.0, 4.0, 5.0]]}), {})
    both = with_what_came(asked, answered({"x": [[1.0, 2.0]]}, forecast), counted, None)
    assert both.column("x_came").to_pylist() == [[3.0, 4.0]]


def test_a_truth_without_what_came_is_bad_data() -> None:
    table = answered({"x": [[1.0, 2.0]]}, {"x_predicted": [[4.0, 5.0]]})
    with pytest.raises(DataError, match=r"has no value at the steps that are forecast \(truth is the data again"):
        with_what_came(task("ahead", "x", horizon=2), table, Sequences(pa.table({"x": [[1.0, 2.0]]}), {}), None)
    with pytest.raises(UsageError, match="truth only works with a forecast; this model's task is 'a task'"):
        with_what_came(task("rows", "x"), table, Sequences(pa.table({"x": [1.0]}), {}), None)


def test_every_channel_has_its_chart_also_where_cells_are_vectors() -> None:
    table = answered({"v": [[[1.0, 10.0], [2.0, 20.0]]]}, {"a_predicted": [[3.0]], "b_predicted": [[30.0]]})
    svg = pictured(task("ahead", "v", horizon=1), table, None)
    assert {"row 1: a", "row 1: b"} <= {*texts(svg)}
    assert "observed: 2 values from 10 to 20" in svg


def test_tags_are_shades_along_a_row_and_the_given_label_is_shown_where_it_differs() -> None:
    table = answered(
        {"words": [["Ann", "sat", "<b>"]], "tag": [["PER", "PER", "O"]]},
        {"tag_predicted": [["PER", "O", "O"]], "tag_p": [[0.9, 0.6, 0.75]]},
    )
    svg = pictured(task("steps", "tag", ["LOC", "O", "PER"]), table, None)
    assert {"Ann", "sat", "<b>", "O", "PER", "0.90", "0.60", "0.75", "the given label, where it differs"} <= {
        *texts(svg)
    }
    assert "LOC" not in texts(svg), "a label that does not occur"
    (given,) = groups(svg, "dots")
    assert (given[0].get("d") or "").count("M") == 1


def test_a_long_row_is_cut_and_says_so() -> None:
    table = answered({"x": [list(range(400))]}, {"y_predicted": [["a"] * 400], "y_p": [[0.5] * 400]})
    assert "row 1: the first 300 of 400 steps" in texts(pictured(task("steps", "y", ["a"]), table, None))


def test_labels_of_rows_are_one_chart_of_probabilities() -> None:
    table = answered(
        {"text": ["good", "bad\n"], "y": ["p", "p"]},
        {"y_predicted": ["p", "n"], "y_p_p": [0.9, 0.2], "y_p_n": [0.1, 0.8]},
    )
    svg = pictured(task("rows", "y", ["n", "p"]), table, None)
    assert {"row 1: good", "row 2: bad⏎", "n", "p", "0.90", "0.20", "0.10", "0.80"} <= {*texts(svg)}
    assert "the given label, where it differs" in texts(svg)
    assert (groups(svg, "dots")[0][0].get("d") or "").count("M") == 1


def test_of_many_labels_the_likeliest_are_drawn() -> None:
    labels = [f"l{n}" for n in range(40)]
    chances = {f"y_p_{label}": [n / 780] for n, label in enumerate(labels)}
    shown = texts(pictured(task("rows", "y", labels), answered({"x": [1]}, {"y_predicted": ["l39"], **chances}), None))
    assert [label for label in labels if label in shown] == labels[28:]


def test_next_items_are_bars() -> None:
    table = answered({"who": ["x"]}, {"what_top": [["a", "b"]], "what_top_p": [[0.75, 0.25]]})
    svg = pictured(task("ranked", "what"), table, "who")
    assert {"x", "a", "b", "0.75", "0.25", "probability"} <= {*texts(svg)}


def test_a_picture_holds_the_first_predictions_only() -> None:
    table = answered({"x": [[1.0, 2.0]] * 20}, {"x_predicted": [[3.0]] * 20})
    svg = pictured(task("ahead", "x", horizon=1), table, None)
    assert len(groups(svg, "line")) == 2 * MOST
    assert f"x: the first {MOST} predictions" in texts(svg)


def test_what_has_no_answers_is_drawn_as_nothing() -> None:
    table = answered({"x": pa.array([[1.0]])}, {"x_predicted": pa.array([None], pa.list_(pa.float64()))})
    assert "no values" in texts(pictured(task("ahead", "x", horizon=1), table, None))


def test_answers_without_a_picture_are_refused() -> None:
    with pytest.raises(UsageError, match="there is no picture of the answers of 'a task': forecasts, tags, ranks and"):
        check_pictured(task("rows", "x"))
