from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from configs import model_config, task_config

from unrolled.data.config import DataConfig
from unrolled.errors import DataError, SpaceError, UsageError
from unrolled.runs import directory
from unrolled.runs.config import RunConfig
from unrolled.runs.directory import alone, choose, claimed, is_trained, keep_options
from unrolled.storage.atomic import beside
from unrolled.training.config import TrainingConfig

CONFIG = RunConfig(task=task_config(name="tag"), data=DataConfig(), model=model_config(), training=TrainingConfig())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run that is there already."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("old")
    return run


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_without_a_name_the_next_free_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose(None, "data/my tunes.abc", False) == Path("runs/my-tunes-1")
    for n in (1, 2, 4):
        Path(f"runs/tunes-{n}").mkdir(parents=True)
    assert choose(None, "tunes.abc", False) == Path("runs/tunes-3")
    assert choose(None, "memory", False) == Path("runs/memory-1")
    assert choose(None, "-", False).parent == Path("runs")


def test_what_is_there_is_not_taken(tmp_path: Path, old: Path) -> None:
    with pytest.raises(UsageError, match="run exists already: continue it with resume, replace it with overwrite, or"):
        choose(old, "a.csv", False)
    assert choose(old, "a.csv", True) == old
    (tmp_path / "empty").mkdir()
    assert choose(tmp_path / "empty", "a.csv", False) == tmp_path / "empty"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        choose(tmp_path / "file", "a.csv", False)


@pytest.mark.parametrize("name", ["thesis.txt", "config.yaml"])
def test_what_is_not_ours_is_not_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="is not a run, so overwrite does not remove it: choose another out"):
        choose(tmp_path, "a.csv", True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_a_run_killed_at_its_birth_left_is_nothing(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / ".config.json.0123abcd.partial").write_bytes(b"{")
    assert choose(tmp_path, "a.csv", overwrite) == tmp_path
    assert names(tmp_path) == []


def test_the_configuration_is_the_first_thing_there(tmp_path: Path) -> None:
    with claimed(tmp_path / "a" / "run", CONFIG):
        assert names(tmp_path / "a" / "run") == ["config.json"]
    assert RunConfig.parse((tmp_path / "a" / "run" / "config.json").read_bytes(), "run") == CONFIG


def test_of_two_that_begin_at_once_one_is_refused_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as other:

        def beside_again(final: Path) -> Path:
            monkeypatch.setattr(directory, "beside", beside)
            other.enter_context(claimed(tmp_path / "run", CONFIG))  # it is as far as the first, and is quicker
            return beside(final)

        monkeypatch.setattr(directory, "beside", beside_again)
        with pytest.raises(UsageError, match="being trained by another process"), claimed(tmp_path / "run", CONFIG):
            pytest.fail("both began")
        assert names(tmp_path) == ["run"]
        assert names(tmp_path / "run") == ["config.json"]
        assert is_trained(tmp_path / "run")


@pytest.mark.parametrize("error", [DataError("bad"), UsageError("bad")])
def test_a_run_that_cannot_begin_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error), match="bad"), claimed(tmp_path / "run", CONFIG):
        (tmp_path / "run" / "encodings").mkdir()
        raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [SpaceError("full"), KeyboardInterrupt()])
def test_a_run_that_was_only_stopped_can_be_resumed(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), claimed(tmp_path / "run", CONFIG):
        raise error
    assert names(tmp_path / "run") == ["config.json"]


def test_a_run_that_has_saved_something_stays(tmp_path: Path) -> None:
    with pytest.raises(DataError), claimed(tmp_path / "run", CONFIG):
        (tmp_path / "run" / "checkpoints" / "step-00000001").mkdir(parents=True)
        raise DataError("bad")
    assert names(tmp_path / "run") == ["checkpoints", "config.json"]


def test_the_old_run_gives_way_to_one_that_ends(tmp_path: Path, old: Path) -> None:
    (old / "model.safetensors").write_text("old")
    with claimed(old, CONFIG):
        assert names(old) == ["config.json"]
    assert names(tmp_path) == ["run"]
    assert names(old) == ["config.json"]


@pytest.mark.parametrize("error", [DataError("bad"), SpaceError("full"), KeyboardInterrupt(), ValueError("a bug")])
def test_the_old_run_is_back_if_the_new_one_saved_nothing(tmp_path: Path, old: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), claimed(old, CONFIG):
        raise error
    assert names(tmp_path) == ["run"]
    assert (old / "config.json").read_text() == "old"


def test_the_old_run_is_gone_if_the_new_one_saved_something(tmp_path: Path, old: Path) -> None:
    with pytest.raises(KeyboardInterrupt), claimed(old, CONFIG):
        (old / "checkpoints" / "step-00000001").mkdir(parents=True)
        raise KeyboardInterrupt
    assert names(tmp_path) == ["run"]
    assert (old / "config.json").read_text() != "old"


def test_options_are_kept() -> None:
    keep_options(Path("run"), CONFIG, {"hidden": 128, "lr": None, "model": "lstm"})
    with pytest.raises(
        UsageError, match="run was started with name = 'lstm', not 'gru': a resumed run keeps its options"
    ):
        keep_options(Path("run"), CONFIG, {"model": "gru"})
    with pytest.raises(UsageError, match="unknown option hiden"):
        keep_options(Path("run"), CONFIG, {"hiden": 3})
    with pytest.raises(UsageError, match="hidden must be at least 1, got 0"):
        keep_options(Path("run"), CONFIG, {"hidden": 0})


def test_only_one_process_trains_in_a_run(tmp_path: Path) -> None:
    with claimed(tmp_path / "run", CONFIG):
        with pytest.raises(UsageError, match="run is being trained by another process"), alone(tmp_path / "run"):
            pass
        with pytest.raises(UsageError, match="run is being trained"), claimed(tmp_path / "run", CONFIG):
            pass
        assert (tmp_path / "run" / "config.json").is_file()
    with alone(tmp_path / "run"):
        pass
