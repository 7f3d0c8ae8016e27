"""Every result has a form for a notebook: HTML that stands alone, has no scripts, and escapes what users wrote."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import unrolled as ur
from unrolled.inspection.context import Context
from unrolled.inspection.memory_horizon import Horizon
from unrolled.training.backtest import Backtest

SMALL: Any = {"steps": 4, "hidden": 4, "plan": "fixed", "quiet": True}
REVIEWS = {
    "text": [f"a {'good' if n % 2 else 'bad'} day <number> {n % 5}" for n in range(60)],
    "l<b>": ["no", "<y>"] * 30,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ur.Trained:
    return ur.fit(
        REVIEWS, target="l<b>", model="gru", out=tmp_path_factory.mktemp("forms") / "run", only="none", **SMALL
    )


def texts(result: Any) -> str:
    """The text of a form, which must be well-formed, without scripts."""
    html = result._repr_html_()
    assert "<script" not in html and "<b>" not in html
    return " ".join(ElementTree.fromstring(html).itertext())


def test_a_trained_model_shows_its_metrics_beside_its_baselines_and_the_verdict(trained: ur.Trained) -> None:
    said = texts(trained)
    assert "this model" in said and "majority" in said and "accuracy" in said
    assert trained.sentences("valid")[0] in said


def test_a_plan_says_what_is_chosen_by_what_and_why() -> None:
    said = texts(ur.plan(REVIEWS, target="l<b>", steps=4))
    assert "Plan for classify" in said and "chosen by" in said and "to repeat without choosing" in said


def test_a_description_draws_the_network(trained: ur.Trained) -> None:
    found = trained.describe()
    assert 'class="layer"' in found._repr_html_()
    assert f"{found.parameters:,}" in texts(found) and "cost of a step" in texts(found)


def test_a_trace_lists_its_values(trained: ur.Trained) -> None:
    said = texts(trained.trace(REVIEWS))
    assert "reset gate" in said and "greatest" in said


def test_an_examination_shows_its_errors_as_a_matrix(trained: ur.Trained) -> None:
    said = texts(trained.examine(REVIEWS))
    assert "95 % from" in said and "<y>" in said and "predicted" in said


def test_an_inspection_shows_its_verdicts(trained: ur.Trained) -> None:
    said = texts(ur.inspect(trained, REVIEWS))
    assert "reach" in said and "gates" in said and "proof" in said


def test_a_comparison_has_tables_and_a_picture(trained: ur.Trained, tmp_path: Path) -> None:
    trained.save(tmp_path / "again")
    said = texts(ur.compare([trained, tmp_path / "again"], REVIEWS))
    assert "cannot be told from" in said and "multiply-adds a step" in said and "lines are two standard errors" in said


def test_a_horizon_is_a_chart_whose_gradients_may_be_nothing() -> None:
    said = texts(Horizon((1.0, 0.1, 0.0), 1, 0.0, 1, "vanishing", 3))
    assert "vanishing: none of the gradient" in said and "1 not positive" in said
    assert "exploding" in texts(Horizon((1.0, math.inf), 1, math.nan, 1, "exploding", 3))


def test_a_context_curve_is_a_chart_with_its_errors() -> None:
    said = texts(Context((1, 2), (2.0, 1.0), (0.1, 0.1), 64, 2, 2, None, 1.0, 0.1, 0.0, 0.1, "nats", "trained whole"))
    assert "the last 2 steps are enough" in said and "± its error" in said


def test_a_backtest_is_a_table_by_step_and_origin() -> None:
    said = texts(Backtest({"mae": 1.5}, [{"mae": 1.0}, {"mae": 2.0}], [{"mae": 1.5}]))
    assert "all origins" in said and "2 ahead" in said and "origin 1" in said
