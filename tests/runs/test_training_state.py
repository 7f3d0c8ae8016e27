"""What a training does at this moment, from its directory only, and what is surely wrong with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from runs.test_training_log import step, written

import unrolled as ur
from unrolled.errors import ModelError, UsageError
from unrolled.runs.directory import alone, is_trained
from unrolled.runs.training_state import read_state, stamp


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "run"
    texts = {"text": ["good food", "bad food", "good wine", "bad wine"] * 10, "mood": ["happy", "sad"] * 20}
    ur.fit(texts, target="mood", steps=40, hidden=4, layers=2, only="none", start="none", out=folder)
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def test_a_finished_run_has_all_of_it(run: Path) -> None:
    state = read_state(run)
    assert (state.doing, state.over, state.share, state.loss) == ("finished", True, 1.0, "loss_nats_per_label")
    assert list(state.log.parts) == ["embeddings", "layer 1", "layer 2", "output layer"]
    norms = [values[-1] ** 2 for values in state.log.parts.values()]
    assert state.log.norms[-1] ** 2 == pytest.approx(sum(norms))
    now = state.to_json()
    assert json.loads(json.dumps(now, allow_nan=False)) == now
    assert (now["step"], now["total"], now["left_seconds"]) == (40, 40, None)
    values = state.log.valid["macro_f1"].tolist()
    first = values.index(max(values))
    assert (now["best"]["step"], now["best"]["macro_f1"]) == (state.log.validated[first], values[first])


def test_what_it_does_is_read_off_the_directory(run: Path) -> None:
    (run / "manifest.json").unlink()
    assert read_state(run).doing == "stopped"
    assert f"resume it with: unrolled fit --resume {run}" in read_state(run).sentence
    with alone(run):
        assert read_state(run).doing == "evaluating"
        written(run / "metrics.jsonl", [step(20)])
        assert read_state(run).doing == "training"
        (run / "metrics.jsonl").unlink()
        assert read_state(run).doing == "preparing"
        written(run / "race" / "0.jsonl", [step(20)])
        assert read_state(run).doing == "racing"
        shutil.rmtree(run / "encodings")  # they are saved some time after config.json
        assert read_state(run).verdicts == ()


def test_the_stamp_changes_with_the_state_and_only_then(run: Path, tmp_path: Path) -> None:
    stamps = [stamp(run)]
    (run / "manifest.json").unlink()
    stamps.append(stamp(run))
    with alone(run):
        stamps.append(stamp(run))
        written(run / "metrics.jsonl", [step(20)])
        stamps.append(stamp(run))
        assert stamp(run) == stamps[-1]
        written(run / "race" / "0.jsonl", [])
        stamps.append(stamp(run))
    stamps.append(stamp(tmp_path / "gone"))
    assert all(one != other for at, one in enumerate(stamps) for other in stamps[:at])


def test_to_look_whether_it_trains_stops_no_training(run: Path) -> None:
    assert not is_trained(run)
    with alone(run):
        assert is_trained(run)
        with pytest.raises(UsageError, match="being trained by another process"), alone(run):
            pass
    assert not is_trained(run)


def test_a_loss_at_chance_and_gradients_that_explode_are_told_once_it_is_late_enough(run: Path) -> None:
    bad: dict[str, Any] = {"loss": 0.69, "gradient_norm": 50.0, "gradient_norms": {"layer.layers.0": 50.0, "head": 1.0}}
    events = [step(at, share=1.0, progress=at / 400, **bad) for at in range(20, 101, 20)]
    written(run / "metrics.jsonl", events[:-1])
    assert read_state(run).verdicts == ()
    written(run / "metrics.jsonl", events)
    flat, huge = read_state(run).verdicts
    assert flat.startswith("It learns nothing: its training loss stays at 0.69")
    assert huge == (
        "Its gradients explode: lately 100% of the steps were clipped to a norm of 1, and their norm was 50, most of it "
        "in layer 1 (50). Try lr 0.0002."
    )


def test_a_directory_that_is_no_run_or_has_no_log_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such run directory"):
        read_state(tmp_path / "other")
    with pytest.raises(ModelError, match="is not a run: it has no config.json"):
        read_state(tmp_path)
    (run / "metrics.jsonl").unlink()
    with pytest.raises(ModelError, match=r"has no log of its training: it was saved without metrics.jsonl"):
        read_state(run)
