"""Trials: one worker, several, and what is left by those that die."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed.forked import ended, fork_each

import unrolled as ur
from unrolled.cli.main import main
from unrolled.errors import TrainingError, UsageError
from unrolled.runs import trials as module
from unrolled.runs.fit import fit
from unrolled.runs.trained import Trained
from unrolled.runs.trials import PREPARED, Trials, train_trials, trials_of
from unrolled.storage.cache_folder import listed
from unrolled.training.hooks import Event

SHORT = {"plan": "fixed", "only": "none", "hidden": 4, "steps": 6, "checkpoint_every": "1", "target": ("label",)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("x,label\n" + "".join(f"{n % 5},{'no' if n % 5 < 2 else 'yes'}\n" for n in range(60)))
    return path


def weights(trained: Trained) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in trained.network.state_dict().items()}


def until(found: Callable[[], bool]) -> None:
    for _ in range(3000):
        if found():
            return
        time.sleep(0.01)
    raise AssertionError("it took longer than 30 s")


def worker(source: Path, out: Path, trials: dict[str, dict[str, Any]], look: Callable[[str, Event], None]) -> Trials:
    """One worker, which notes each run that it ends, and shows each event to ``look``."""

    def train(folder: Path, own: dict[str, Any]) -> Trained:
        def hook(event: Event) -> None:
            if event["kind"] == "valid_final":
                with (out / "ended").open("a") as file:
                    file.write(f"{folder.name}\n")
            look(folder.name, event)

        return fit(source, {**SHORT, **own}, out=folder, go_on=True, cache=out / PREPARED, hooks=(hook,))

    return train_trials(out, trials, train, lambda _: None)


def same_as_one(source: Path, folder: Path, out: Path, trials: dict[str, dict[str, Any]]) -> None:
    """What several workers left in ``out`` is what one leaves, and each trial has ended once."""
    assert sorted((out / "ended").read_text().split()) == sorted(trials)
    for name, own in trials.items():
        one, several = fit(source, {**SHORT, **own}, out=folder / name), ur.load(out / name)
        assert weights(one) == weights(several)
        assert (one.metrics, one.baselines) == (several.metrics, several.baselines)


def test_two_of_three_workers_die(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.02)
    out, trials = tmp_path / "trials", trials_of({"model": ["rnn"], "lr": [0.1, 0.01, 0.001]}, {})
    out.mkdir()

    def work(number: int) -> None:
        def look(name: str, _: Event) -> None:
            (out / f"begun-{number}-{name}").touch()
            if number < 2:  # these die while the third trains its own trial
                until(lambda: any(out.glob("begun-2-*")))
                os.kill(os.getpid(), signal.SIGKILL)

        if number == 2:
            until(lambda: len(list(out.glob("begun-*"))) >= 2)
        found = worker(source, out, trials, look)
        assert list(found.trained) == list(trials)

    assert ended(fork_each(3, work)) == [-signal.SIGKILL, -signal.SIGKILL, 0]
    first = {path.name.split("-", 2)[2] for path in out.glob("begun-[01]-*")}
    assert len(first) == 2  # nobody began what another one trained
    assert len(listed(out / PREPARED)) == 1
    same_as_one(source, tmp_path / "one", out, trials)


@pytest.mark.soak
def test_workers_die_at_any_moment(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: Callable[[int, int], int]
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.02)
    widths = [3, 4, 5][: times(1, 3)]
    out, trials = tmp_path / "trials", trials_of({"model": ["rnn", "gru"], "lr": [0.1, 0.01], "hidden": widths}, {})
    out.mkdir()
    dice, rounds = random.Random(0), times(2, 10)

    def work(_: int) -> None:
        worker(source, out, trials, lambda *_: time.sleep(0.1))

    cut = 0
    for _ in range(rounds):
        children = fork_each(3, work)
        time.sleep(dice.uniform(0.05, 0.6))
        for child in children[:2]:
            os.kill(child, signal.SIGKILL)
        time.sleep(dice.uniform(0.05, 0.3))
        os.kill(children[2], signal.SIGKILL)
        cut += ended(children).count(-signal.SIGKILL)
    assert cut >= rounds  # a third of them: workers that had something left to do
    assert ended(fork_each(3, work)) == [0, 0, 0]
    assert set((out / "ended").read_text().split()) == set(trials)
    (out / "ended").write_text("\n".join(trials))  # one that is killed while it ends a trial ends it again
    same_as_one(source, tmp_path / "one", out, trials)


def test_a_trial_that_diverges_is_not_tried_again(tmp_path: Path) -> None:
    tried: list[str] = []

    def train(folder: Path, _: dict[str, Any]) -> Trained:
        tried.append(folder.name)
        raise TrainingError("ten steps in a row")

    for _ in range(2):
        found = train_trials(tmp_path, {"a": {}, "b": {}}, train, lambda _: None)
        assert found == Trials({}, {"a": "ten steps in a row", "b": "ten steps in a row"})
    assert tried == ["a", "b"]


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UsageError, match="has no locks, without which two workers may train one trial"):
        train_trials(tmp_path, {"a": {}}, lambda *_: pytest.fail(), lambda _: None)


@pytest.mark.parametrize(
    ("tried", "options", "text"),
    [
        ({}, {}, "nothing is tried"),
        ({"model": "gru"}, {}, "tried model: expected a list of values, got 'gru'"),
        ({"lr": []}, {}, "expected a list of values"),
        ({"lr": [0.1]}, {"lr": 0.2}, "lr is given for all trials and tried too"),
        ({"seed": [1, 1]}, {}, "two trials would be written to seed-1"),
    ],
)
def test_what_is_refused(tried: dict[str, Any], options: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        trials_of(tried, options)


def test_the_command_says_which_is_best_and_goes_on(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "trials"
    words = ["trials", str(source), "--target", "label", "--plan", "fixed", "--hidden", "3", "--steps", "2"]
    words += ["--only", "none", "--tried", "model=rnn,window", "--out", str(out)]
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"\n{out}, valid:\n\n")
    assert {line.split()[0] for line in told.out.splitlines()[4:]} == {"model-rnn", "model-window"}
    assert told.err.endswith(f"Next:\n  unrolled compare {out}/model-rnn {out}/model-window\n")
    assert set(ur.trials(source, {"model": ["rnn"]}, out=out, quiet=True).trained) == {"model-rnn"}
    source.unlink()  # nothing of it is read again
    assert main([*words, "--json"]) == 0
    assert '"best": "model-' in capsys.readouterr().out


def test_the_command_fails_where_all_trials_have(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("unrolled.api.trials", lambda *_, **__: Trials({}, {"lr-9": "ten steps in a row"}))
    assert main(["trials", str(source), "--tried", "lr=9", "--out", str(tmp_path / "trials")]) == 1
    told = capsys.readouterr().err
    assert "failed: lr-9: ten steps in a row" in told and "all trials have failed: try a lower --lr" in told
