"""What a model of tunes writes is judged: one that learned a tune by heart writes that, one that learned nothing noise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unrolled import api
from unrolled.errors import DataError, UsageError
from unrolled.runs.trained import Trained
from unrolled.runs.tune_report import judge_tunes

TUNE = "X:1\nM:3/4\nL:1/4\nK:C\n" + "CDE|FGA|Bcd|efg|agf|edc|BAG|FED|CEG|cGE|DFA|dAF|\n"
UP = str.maketrans("CDEFGABcdefga", "DEFGABcdefgab")


@pytest.fixture(scope="module")
def by_heart(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("tunes")
    (folder / "tune.abc").write_text(TUNE)
    options: api.Options = {"valid": 0, "hidden": 48, "lr": 2e-2, "steps": 300, "plan": "fixed"}
    return api.fit(folder / "tune.abc", out=folder / "run", **options)


def test_a_model_that_knows_one_tune_writes_copies(by_heart: Trained) -> None:
    found = judge_tunes(by_heart, 8)
    assert found["tunes_parsed"] >= found["tunes_in_metre"] >= 0.5
    assert found["tunes_new"] <= 0.5
    assert 25 < found["longest_copy_notes"] <= 36
    assert judge_tunes(by_heart, 8) == found


class Writes:
    """Stands for a trained model that writes what it is told to."""

    def __init__(self, trained: Trained, texts: list[str]) -> None:
        self.config, self.task, self.read, self._texts = trained.config, trained.task, trained.read, texts

    def generate(self, *, length: int, seed: int) -> Iterator[str]:
        return iter(self._texts[seed])


def test_each_share_is_of_what_it_says(by_heart: Trained) -> None:
    head, music = TUNE[: TUNE.index("CDE")], "cBA|cBA|G^FE|"
    texts = [
        TUNE,
        "no tune",
        head + "CDEF|" + music,
        head + music,
        head.replace("K:C", "K:D") + TUNE[len(head) :].translate(UP),
    ]
    found = judge_tunes(Writes(by_heart, texts), 5)  # type: ignore[arg-type]
    assert found["tunes_parsed"] == 4 / 5
    assert found["tunes_in_metre"] == 3 / 5
    assert found["tunes_new"] == 2 / 4
    assert found["longest_copy_notes"] == (36 + 6 + 6 + 36) / 4  # cBAG^FE goes down as agfedc does
    assert set(judge_tunes(Writes(by_heart, ["no"]), 1)) == {"tunes_parsed", "tunes_in_metre"}  # type: ignore[arg-type]


@pytest.mark.parametrize(("music", "parsed"), [("events", 0.5), ("roll", 1.0)])
def test_models_of_notes_are_judged_too(music: str, parsed: float, tmp_path: Path) -> None:
    (tmp_path / "tune.abc").write_text(TUNE)
    options: Any = {"valid": 0, "hidden": 48, "lr": 2e-2, "steps": 100, "music": music, "plan": "fixed"}
    found = judge_tunes(api.fit(tmp_path / "tune.abc", out=tmp_path / "run", **options), 4)
    assert set(found) == {"tunes_parsed", "tunes_new", "longest_copy_notes"}  # neither has bars
    assert found["tunes_parsed"] >= parsed
    assert found["longest_copy_notes"] > 3


def test_a_model_that_writes_nothing_is_refused(tmp_path: Path) -> None:
    model = api.fit({"x": [[1.0, 2.0, 4.0]] * 4}, out=tmp_path / "run", steps=1, valid=0)
    with pytest.raises(UsageError, match="generate only works with the task 'next_step' on texts or piano rolls"):
        judge_tunes(model, 1)


def test_without_its_training_data_it_refuses(by_heart: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="^tunes must be at least 1, got 0$"):
        judge_tunes(by_heart, 0)
    source = Path(by_heart.config.source)
    content = source.read_bytes()
    try:
        source.write_bytes(content + b"c")
        with pytest.raises(DataError, match=r"tune\.abc: the data has changed"):
            judge_tunes(by_heart, 1)
        source.unlink()
        with pytest.raises(DataError, match=r"tune\.abc: the training data is missing, so copies"):
            judge_tunes(by_heart, 1)
    finally:
        source.write_bytes(content)
