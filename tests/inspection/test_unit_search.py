"""The search over a run: which steps are read, whose units they are, and which models have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.errors import DataError, UsageError
from unrolled.inspection.named_units import Units
from unrolled.inspection.unit_search import search_units
from unrolled.runs.trained import Trained

QUICK: dict[str, Any] = {"start": "none", "blend": "none", "steps": 2, "hidden": 4, "quiet": True}
TEXT = "the cat sat on the mat\nand then it ran (far away)\n" * 40


def searched(model: Trained, data: Any, target: bool = True, **options: Any) -> Units:
    return search_units(model.network, model.task, model.encode(model.read(data), target=target), **options)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return ur.fit({"text": [TEXT]}, out=tmp_path_factory.mktemp("units"), model="lstm", layers=2, **QUICK)


def test_windows_of_a_text_are_read(text: Trained) -> None:
    found = searched(text, {"text": [TEXT]})
    assert found.steps == 2_000  # four windows of 500
    assert list(found.layers) == ["layer 1, cell state", "layer 2, cell state"]
    assert all(sorted(layer.units) == [0, 1, 2, 3] for layer in found.layers.values())
    assert "position in the line" in {one.feature for one in found.found}
    assert all(one.worth is not None for one in found.named[:1])


def test_features_of_the_users_own(text: Trained) -> None:
    steps = len(TEXT) + 1
    found = searched(text, {"text": [TEXT]}, given={"halves": np.arange(steps) > steps // 2}, row=0)
    assert found.steps == steps and "halves" in {one.feature for one in found.found}
    with pytest.raises(DataError, match="the feature 'short' has the shape"):
        searched(text, {"text": [TEXT]}, given={"short": [1, 2, 3]})


def test_one_answer_a_row_and_data_without_the_answer(tmp_path: Path) -> None:
    rows = {"text": ["good food " * 20, "bad wine " * 20] * 8, "mood": ["happy", "sad"] * 8}
    model = ur.fit(rows, target="mood", out=tmp_path, model="bigru", **QUICK)
    found = searched(model, rows)
    assert list(found.layers) == ["layer 1, hidden state", "layer 1, backward, hidden state"]
    assert found.steps == 640
    unknown = searched(model, {"text": rows["text"]}, target=False)
    assert all(one.used is None for one in unknown.found)


def test_a_forecast(tmp_path: Path) -> None:
    series = [float(np.sin(t / 3)) for t in range(300)]
    model = ur.fit({"load": [series]}, target="load", horizon=4, out=tmp_path, model="gru", **QUICK)
    assert "level of load" in {one.feature for one in searched(model, {"load": [series]}).found}


def test_models_without_units_are_refused(tmp_path: Path) -> None:
    model = ur.fit({"text": [TEXT]}, out=tmp_path / "a", model="transformer", **QUICK)
    with pytest.raises(UsageError, match="this model has no recurrent cell, so it has no units"):
        searched(model, {"text": [TEXT]})
    pairs = {"source": ["ab", "cd"] * 10, "reply": ["ba", "dc"] * 10}
    model = ur.fit(pairs, target="reply", task="translate", out=tmp_path / "b", model="gru", **QUICK)
    with pytest.raises(UsageError, match="the answer is a written sequence"):
        searched(model, pairs)
