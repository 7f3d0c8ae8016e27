"""The report of a run: what it shows of the model's figures, where it errs, and what it leaves out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.runs.run_report import Held, report
from unrolled.runs.trained import Trained
from unrolled.runs.training_log import TrainingLog

REVIEWS = {
    "review": [f"{'good' if n % 2 else 'bad'} {word}" for n, word in enumerate(["film", "plot", "cast", "end"] * 30)],
    "label": ["pos" if n % 2 else "neg" for n in range(120)],
}
LOAD = {"y": [np.sin(np.arange(300) / 4).tolist()]}


def fitted(folder: Path, data: Any, **own: Any) -> tuple[Trained, str]:
    model = ur.fit(data, steps=20, out=folder / "run", quiet=True, report=True, **own)
    return model, (folder / "run" / "report.html").read_text()


def titles(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", html)


def numbers_in(html: str, heading: str) -> str:
    """The words of a section, without markup."""
    section = next(part for part in html.split("<section")[1:] if f">{heading}</h2>" in part)
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


def test_labels(tmp_path: Path) -> None:
    model, html = fitted(tmp_path, REVIEWS, target="label", hidden=4, only="none")
    assert titles(html) == [
        *("Verdicts", "Results beside the baselines", "Learning curves", "Where it errs", "The worst examples"),
        *("Plan", "Look inside"),
    ]
    results = numbers_in(html, "Results beside the baselines")
    for name in ("this model", *model.baselines["valid"]):
        assert name in results
    assert f"{model.metrics['valid']['accuracy']:.4g}" in results
    assert "calibration" in numbers_in(html, "Where it errs")
    assert "chosen by" in numbers_in(html, "Plan")
    assert len(html) < 1_000_000 and "http" not in html.replace("http://www.w3.org/2000/svg", "").replace(
        "http-equiv", ""
    )


def test_a_forecast_has_its_fan_and_errors_by_step_ahead(tmp_path: Path) -> None:
    _, html = fitted(tmp_path, LOAD, target="y", horizon=6)
    assert "by step ahead" in numbers_in(html, "Where it errs")
    page = json.loads(re.findall(r'id="page">(.*?)</script>', html, re.DOTALL)[0])
    assert "fan" in [one["view"] for one in page["views"]]


def test_a_text_shows_a_held_out_row_and_what_was_expected(tmp_path: Path) -> None:
    _, html = fitted(tmp_path, {"text": ["the cat sat.", "a dog ate."] * 20}, hidden=4)
    page = json.loads(re.findall(r'id="page">(.*?)</script>', html, re.DOTALL)[0])
    assert [one["view"] for one in page["views"]] == ["text", "next"]


def test_python_writes_none_unless_asked(tmp_path: Path) -> None:
    ur.fit(REVIEWS, target="label", steps=1, hidden=4, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "report.html").exists()


def test_rows_beyond_the_bound_are_not_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unrolled.runs import run_report

    monkeypatch.setattr(run_report, "_STEPS", 6)  # each review has two or three words: some of the rows fit
    _, html = fitted(tmp_path, REVIEWS, target="label", hidden=4)
    assert re.search(r"\d of 12 rows of the valid split", numbers_in(html, "The worst examples"))
    monkeypatch.setattr(run_report, "_STEPS", 0)
    _, html = fitted(tmp_path / "none", REVIEWS, target="label", hidden=4)
    assert "Where it errs" not in titles(html)


def test_a_row_of_no_steps_is_passed_over(tmp_path: Path) -> None:
    model, _ = fitted(tmp_path, {"text": ["the cat sat.", "a dog ate."] * 20}, hidden=4, only="none")
    held = Held("valid", model.read({"text": ["", "the cat ate."]}), np.array([0, 13]))
    html = report(model, held, TrainingLog())
    page = json.loads(re.findall(r'id="page">(.*?)</script>', html, re.DOTALL)[0])
    assert "".join(page["views"][0]["data"]["tokens"]) == "<begin>the cat ate."


def test_values_of_the_worst_rows_are_short() -> None:
    from unrolled.runs.run_report import _short

    assert [_short(one) for one in (None, 0.1234567890123456, [0.1234567890123456, 2.0], "a")] == [
        "",
        "0.1235",
        "[0.1235, 2]",
        "a",
    ]
