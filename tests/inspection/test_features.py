"""What is said of the steps of texts, symbols and numbers, compared with what is plain to see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Windows
from unrolled.errors import DataError
from unrolled.inspection.features import Feature, features_of, given_features
from unrolled.runs.trained import Trained

QUICK: dict[str, Any] = {"start": "none", "blend": "none", "steps": 1, "hidden": 2, "quiet": True, "model": "gru"}


def of(model: Trained, data: Any, rows: int = 1) -> dict[str, Feature]:
    examples = model.encode(model.read(data), target=True)
    ends = model.task.coder.form.plans.questions(examples.steps())[:rows]
    batch = Loader(examples, Windows(np.arange(rows), ends, int(ends.max()), rows))[0]
    return features_of(model.task, batch, [0] * rows)


def test_of_a_text(tmp_path: Path) -> None:
    text = 'T: one\nAB|c1 (d[e]f)|\n"so"'
    model = ur.fit({"text": [text] * 10}, out=tmp_path, **QUICK)
    found = of(model, {"text": [text]})
    read = "\0" + text  # <begin>
    assert all(len(feature.values) == len(read) for feature in found.values())
    flag = {
        name: "".join(one for one, on in zip(read, feature.values, strict=True) if on)
        for name, feature in found.items()
    }
    assert (flag["upper case"], flag["digit"], flag["letter"]) == ("TAB", "1", "ToneABcdefso")
    assert flag["in a header"] == "T: one\n" and flag["in quotes"] == '"so'
    assert flag["blank next"] == ":e1|" and flag["line ends next"] == "e|"
    assert flag["depth of brackets"] == "(d[e]f"
    at = read.index("e]")
    assert found["depth of brackets"].values[at] == 2 and found["position in the line"].values[at] == 10
    assert found["number of | in the line"].values[[at, read.index("c"), at + 4]].tolist() == [1, 1, 2]
    assert found["steps since |"].values[at] == 7 and found["steps since a blank"].values[at] == 4
    assert found["step in the row"].values.tolist() == list(range(len(read)))


def test_what_is_the_same_at_every_step_or_said_twice_is_left_out(tmp_path: Path) -> None:
    model = ur.fit({"text": ["ab cd"] * 10}, out=tmp_path, **QUICK)
    found = of(model, {"text": ["ab cd"]})
    assert "digit" not in found and "in quotes" not in found
    assert "steps since a blank" in found and "line ends next" not in found
    values = [feature.values.tolist() for feature in found.values()]
    assert all(values.count(one) == 1 for one in values)


def test_of_symbols_and_of_several_rows(tmp_path: Path) -> None:
    rows = {"word": [["up", "up", "down"], ["down", "up"]] * 5, "tag": [["a", "b", "a"], ["b", "a"]] * 5}
    found = of(ur.fit(rows, target="tag", out=tmp_path, **QUICK), rows, 2)
    assert found["up is read"].values.tolist() == [1, 1, 0, 0, 1]
    assert found["steps since down"].values.tolist() == [1, 2, 0, 0, 1]
    assert found["the same as before"].values.tolist() == [0, 1, 0, 0, 0]
    assert found["step in the row"].values.tolist() == [0, 1, 2, 0, 1]


def test_of_a_series_with_a_season(tmp_path: Path) -> None:
    series = [float(np.cos(np.pi * t / 6) + t / 100) for t in range(240)]
    model = ur.fit({"load": [series]}, target="load", horizon=12, season=12, out=tmp_path, **QUICK)
    examples = model.encode(model.read({"load": [series]}), target=True)
    batch = Loader(examples, Windows(np.array([0]), np.array([100]), 48, 1))[0]
    found = features_of(model.task, batch, [52])
    level = found["level of load"].values
    assert np.corrcoef(level, series[52:100])[0, 1] > 0.999
    assert found["change of load"].values == pytest.approx(np.diff(level, prepend=level[0]))
    wave = found["time of the season of 12 steps (cosine)"]
    assert wave.period == 12 and wave.values[0] == pytest.approx(np.cos(2 * np.pi * 52 / 12))


def test_the_users_own_must_be_a_number_for_each_step() -> None:
    found = given_features({"mask": [True, False, True], "number": (1, 2, 3.5)}, 3)
    assert found["mask"].values.tolist() == [1, 0, 1] and found["number"].values.dtype == np.float64
    with pytest.raises(
        DataError, match=r"the feature 'short' has the shape \(2,\): give one finite number for each of"
    ):
        given_features({"short": [1, 2]}, 3)
    with pytest.raises(DataError, match="the feature 'words' is neither numbers nor True and False"):
        given_features({"words": ["a", "b", "c"]}, 3)
