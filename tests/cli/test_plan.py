"""``unrolled plan``: what would be chosen, on stdout; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.support import Done, write_load, write_reviews

Unrolled = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_reviews(tmp_path / "reviews.csv")
    write_load(tmp_path / "load.csv")
    return tmp_path


def test_the_plan_is_shown_and_nothing_is_written(unrolled: Unrolled, folder: Path) -> None:
    before = sorted(folder.iterdir())
    done = unrolled("plan", "reviews.csv", "--target", "sentiment", "--steps", "4", "--lr", "0.5")
    assert done.code == 0
    assert done.out.startswith("task: classify\nfacts: 36 rows, ")
    assert "plan: model bigru (rows are read whole, from both sides)\n" in done.out
    assert "plan: lr" not in done.out  # the user's
    line = done.out.splitlines()[-1]
    assert line.startswith("to repeat without choosing: unrolled fit reviews.csv --")
    for words in ("--target sentiment", "--lr 0.5", "--steps 4", "--model bigru", "--plan fixed"):
        assert words in line
    assert sorted(folder.iterdir()) == before


def test_as_json(unrolled: Unrolled, folder: Path) -> None:
    done = unrolled("plan", "load.csv", "--target", "load", "--horizon", "2", "--steps", "4", "--json")
    assert done.code == 0
    found = done.json
    assert (found["task"], found["facts"]["horizon"]) == ("forecast", 2)
    chosen = {choice["field"]: choice["value"] for choice in found["plan"]}
    assert chosen.keys() >= {"lookback", "hidden", "batch", "lr"}
    assert all(choice["source"] == "rule" and choice["reason"] for choice in found["plan"])
    assert found["repeat"].endswith("--plan fixed")


def test_errors_are_those_of_fit(unrolled: Unrolled, folder: Path) -> None:
    done = unrolled("plan", "reviews.csv", "--target", "mood")
    assert done.code == unrolled("fit", "reviews.csv", "--target", "mood").code != 0
    assert "mood" in done.err and done.out == ""
    assert unrolled("plan", "none.csv").code == 3
    assert unrolled("plan", "reviews.csv", "--hiden", "3").code == 2
