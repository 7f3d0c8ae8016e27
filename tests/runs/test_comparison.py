"""Runs side by side: the figures are those of `evaluate`, the differences are paired, and unlike runs are refused."""

from __future__ import annotations

import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.errors import DataError, UsageError
from unrolled.runs.trained import Trained

SMALL: dict[str, Any] = {"plan": "fixed", "refit": "no", "hidden": 4, "device": "cpu", "quiet": True}


def reviews(path: Path, rows: int = 120, seed: int = 0) -> Path:
    chance = random.Random(seed)
    lines = ["text,mood"]
    for _ in range(rows):
        good = chance.random() < 0.5
        word = chance.choice(["great", "lovely"] if good == (chance.random() < 0.9) else ["awful", "dull"])
        lines.append(f"{' '.join(chance.choices(['a', 'the', 'film'], k=3))} {word},{'good' if good else 'bad'}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("comparison")
    file = reviews(place / "reviews.csv")
    reviews(place / "new.csv", 60, seed=1)
    options = {"target": "mood", "test": 0.25, **SMALL}
    ur.fit(file, out=place / "learned", lr=0.02, steps=60, **options)
    ur.fit(file, out=place / "hardly", steps=1, model="bigru", **options)
    ur.fit(file, out=place / "seed", steps=1, seed=1, **options)
    return place


def test_the_figures_are_those_of_the_shared_test_split(folder: Path) -> None:
    found = ur.compare([folder / "hardly", folder / "learned"])
    hardly, learned = found.runs.values()
    assert (found.split, found.cases, found.measure) == ("test", "30 sequences", "macro_f1")
    assert found.reference == str(folder / "learned")
    assert learned.metrics == pytest.approx(ur.load(folder / "learned").metrics["test"])
    assert hardly.metrics == pytest.approx(ur.load(folder / "hardly").metrics["test"])
    share = learned.metrics["accuracy"]
    assert learned.errors["accuracy"] == pytest.approx(math.sqrt(share * (1 - share) / 30), rel=0.3)
    assert (learned.differences, learned.difference_errors) == ({}, {})
    assert hardly.differences["accuracy"] == pytest.approx(hardly.metrics["accuracy"] - share)
    assert 0 < hardly.difference_errors["accuracy"] < 0.3
    assert (learned.streams, hardly.streams) == (True, False)
    assert learned.microseconds > 0 and hardly.microseconds > 0
    assert learned.bytes == (folder / "learned" / "model.safetensors").stat().st_size
    assert learned.weights == sum(p.numel() for p in ur.load(folder / "learned").network.parameters())
    assert learned.multiply_adds_per_step == ur.load(folder / "learned").describe().multiply_adds_per_step
    assert learned.training_seconds is not None and learned.finished


def test_a_run_differs_from_itself_by_nothing(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "learned", tmp_path / "copy")
    found = ur.compare([ur.load(folder / "learned"), tmp_path / "copy"])
    copy = found.runs[str(tmp_path / "copy")]
    assert set(copy.differences.values()) == set(copy.difference_errors.values()) == {0.0}
    assert "cannot be told from" in str(found)


def test_the_text_and_the_picture_hold_every_run(folder: Path) -> None:
    found = ur.compare([folder / "hardly", folder / "learned"])
    text, picture = str(found), found.to_svg()
    for one in found.runs.values():
        assert f"{one.metrics['accuracy']:.4g} ± " in text
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["test", "split,", "30", "sequences"]
    assert any(line.startswith(f"minus {found.reference}") for line in lines)
    assert f"{folder / 'hardly'} is worse than {folder / 'learned'}: macro_f1 differs by " in text
    assert any(line.startswith("cost") and line.endswith("seconds of training") for line in lines)
    assert picture.count('<g class="dots">') == 2 * (len(found.runs[found.reference].metrics) + 2)
    assert 'class="whisker"' in picture and "higher is better" in picture
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["reference"] == found.reference


def test_other_splits_are_refused_unless_a_file_is_given(folder: Path) -> None:
    both = [folder / "learned", folder / "seed"]
    with pytest.raises(
        UsageError, match="were made from different splits, because seed is 0 in one and 1 in the other"
    ):
        ur.compare(both)
    found = ur.compare(both, folder / "new.csv")
    assert (found.split, found.cases, found.notes) == (str(folder / "new.csv"), "60 sequences", ())
    for run, one in found.runs.items():
        assert one.metrics == pytest.approx(ur.load(run).evaluate(folder / "new.csv"))
    (note,) = ur.compare(both, folder / "reviews.csv").notes
    assert note.endswith("so the figures are better than on new data.")


def test_the_validation_split_is_used_where_there_is_no_test(tmp_path: Path) -> None:
    wave = np.sin(np.arange(300) / 5) + np.random.default_rng(0).normal(0, 0.1, 300)
    file = tmp_path / "wave.csv"
    file.write_text("day,load\n" + "".join(f"{day},{value}\n" for day, value in enumerate(wave)))
    for seed in (0, 1):  # the last steps are held out, whatever the seed
        ur.fit(file, order="day", horizon=6, steps=5, seed=seed, out=tmp_path / f"run-{seed}", **SMALL)
    found = ur.compare([tmp_path / "run-0", tmp_path / "run-1"])
    assert (found.split, found.measure) == ("valid", "mse_scaled")
    assert found.cases.endswith("windows of 6 steps")
    assert any("were chosen on this validation split" in note for note in found.notes)
    for run, one in found.runs.items():
        assert one.metrics == pytest.approx(ur.load(run).metrics["valid"])
    ur.fit(file, order="day", horizon=12, steps=1, out=tmp_path / "longer", **SMALL)
    with pytest.raises(UsageError, match="the horizon of the first is 6, that of the second 12"):
        ur.compare([tmp_path / "run-0", tmp_path / "longer"])


def test_a_validation_split_that_was_learned_is_refused(folder: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "a", tmp_path / "b"]
    for out in runs:
        options = {**SMALL, "refit": "yes"}
        ur.fit(folder / "reviews.csv", target="mood", steps=60, out=out, **options)
    assert ur.load(runs[0]).findings.refit is not None
    with pytest.raises(UsageError, match=r"learned from its validation data too, in its last \d+ steps"):
        ur.compare(runs)
    assert ur.compare(runs, folder / "new.csv").cases == "60 sequences"


def test_a_stopped_run_is_compared_with_its_best_weights_and_it_is_said(folder: Path, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    shutil.copytree(folder / "hardly", stopped)
    (stopped / "manifest.json").unlink()
    found = ur.compare([folder / "learned", stopped])
    assert not found.runs[str(stopped)].finished
    assert f"{stopped} has not finished: its best weights so far are compared." in found.notes


def test_answers_in_other_units_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("the cat sat on the mat. a dog ran to the house. " * 60)
    for tokens in ("characters", "words"):
        ur.fit(tmp_path / "story.txt", tokens=tokens, steps=2, out=tmp_path / tokens, **SMALL)
    with pytest.raises(UsageError, match="have no measure in common: their answers are in different units"):
        ur.compare([tmp_path / "characters", tmp_path / "words"])


def test_runs_that_answer_other_questions_are_refused(folder: Path, tmp_path: Path) -> None:
    other = reviews(tmp_path / "other.csv", seed=2)
    ur.fit(other, target="mood", test=0.25, steps=1, out=tmp_path / "other", **SMALL)
    ur.fit(folder / "reviews.csv", target="mood", task="translate", steps=1, out=tmp_path / "writes", **SMALL)
    ur.fit(folder / "reviews.csv", target="mood", valid=0, steps=1, out=tmp_path / "all", **SMALL)
    learned = folder / "learned"
    for others, message in (
        ([], "compare needs at least two runs, got 1"),
        ([learned], "is given twice"),
        ([tmp_path / "other"], "were trained on different data"),
        ([tmp_path / "writes"], "the task of the first is 'classify', that of the second 'translate'"),
        ([tmp_path / "all"], "held nothing out, so there is no split to compare it on"),
    ):
        with pytest.raises(UsageError, match=message):
            ur.compare([learned, *others])


def test_data_that_is_gone_or_changed_is_named(folder: Path, tmp_path: Path) -> None:
    file = reviews(tmp_path / "mine.csv")
    for name in ("a", "b"):
        ur.fit(file, target="mood", steps=1, out=tmp_path / name, **SMALL)
    file.write_text(file.read_text() + "the film,good\n")
    with pytest.raises(DataError, match=r"mine\.csv: the data has changed since .* was trained"):
        ur.compare([tmp_path / "a", tmp_path / "b"])
    file.unlink()
    with pytest.raises(DataError, match=r"cannot be read any more.*or give held-out data with data"):
        ur.compare([tmp_path / "a", tmp_path / "b"])
    assert ur.compare([tmp_path / "a", tmp_path / "b"], folder / "new.csv").cases == "60 sequences"


def test_data_in_memory_needs_a_file(tmp_path: Path) -> None:
    table = {"text": ["so good", "so bad"] * 20, "mood": ["p", "n"] * 20}
    runs: list[Trained | Path] = [
        ur.fit(table, target="mood", steps=1, seed=seed, out=tmp_path / str(seed), **SMALL) for seed in (0, 1)
    ]
    with pytest.raises(UsageError, match="was trained on data in memory"):
        ur.compare(runs)
    assert ur.compare(runs, table).cases == "40 sequences"
