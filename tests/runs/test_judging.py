from __future__ import annotations

from pathlib import Path

import numpy as np

import unrolled


def noisy(rows: int, share: float, seed: int = 0) -> dict[str, list[object]]:
    """Two words, of which the first says the label but for a ``share`` of the rows."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, rows)
    words = np.where(random.random(rows) < share, 1 - labels, labels)
    return {"text": [("good film", "bad film")[word] for word in words], "mood": [int(label) for label in labels]}


def test_as_good_as_a_baseline_that_knows_as_much(tmp_path: Path) -> None:
    asked = {"steps": 60, "hidden": 16, "lr": 0.01, "valid": 0.25, "only": "none"}
    model = unrolled.fit(noisy(400, 0.1), target="mood", out=tmp_path / "run", **asked)
    verdict = model.findings.verdicts["valid"]
    assert (verdict.measure, verdict.outcome) == ("macro_f1", "as good")
    assert verdict.error is not None and verdict.error < 0.1
    assert model.findings.kept is not None and model.findings.kept[1] == 60
    again = unrolled.load(tmp_path / "run")
    assert again.findings == model.findings
    assert again.sentences("valid") == model.sentences("valid")
    assert any("macro_f1" in line for line in (tmp_path / "run" / "README.md").read_text().splitlines())


def test_a_short_series_says_on_how_many_windows_it_rests(tmp_path: Path) -> None:
    month = np.arange(144)
    sales = (100 + month + 20 * np.sin(2 * np.pi * month / 12)).tolist()
    table = {"month": month.tolist(), "sales": sales}
    model = unrolled.fit(table, order="month", horizon=6, steps=20, hidden=8, out=tmp_path / "run")
    verdict = model.findings.verdicts["valid"]
    assert verdict.measure == "mse_scaled" and verdict.rival in model.baselines["valid"]
    assert any("rests on 3 windows of 6 steps" in line for line in model.findings.advice)
