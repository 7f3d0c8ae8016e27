"""C9: stopped and resumed = never stopped, to the bit, mid-epoch, however often and wherever it was stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm
from contracts.runs import RUNS, log_of, same_run

from unrolled.errors import DataError, Interrupted, UsageError
from unrolled.training import checkpoint
from unrolled.training.trainer import Trainer


class Stop(Exception):
    """As sudden as a kill: nothing of ours catches it."""


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Whichever run comes next ends before it takes ``step``."""
    take = Trainer._step

    def until(self: Trainer, *arguments: Any) -> None:
        if self.progress.step == step:
            raise Stop
        take(self, *arguments)

    monkeypatch.setattr(Trainer, "_step", until)


@pytest.mark.soak
@pytest.mark.parametrize("name", RUNS)
def test_stopped_at_many_steps_it_ends_as_if_it_had_never_stopped(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: Callable[[int, int], int]
) -> None:
    run, straight, stopped = RUNS[name], tmp_path / "straight", tmp_path / "stopped"
    every = f"{times(2, 1)}"
    run.fit(straight, checkpoint_every=every)
    steps = log_of(straight)[-1]["step"]
    assert steps >= 8
    for step in range(times(5, 0), steps, times(max(7, steps // 2 | 1), 1)):  # odd: between two checkpoints
        with monkeypatch.context() as patch, pytest.raises(Stop):
            stop_at(patch, step)
            if not stopped.exists():
                run.fit(stopped, checkpoint_every=every)
            else:
                run.resume(stopped)
    run.resume(stopped)
    same_run(stopped, straight)


@pytest.mark.parametrize("name", ["rows with dropout", "lanes, k2 > k1"])
def test_whether_it_saves_on_the_way_changes_nothing(name: str, tmp_path: Path) -> None:
    RUNS[name].fit(tmp_path / "often", checkpoint_every="1")
    RUNS[name].fit(tmp_path / "never", checkpoint_every="1000")
    assert log_of(tmp_path / "often") == log_of(tmp_path / "never")
    one, other = ((tmp_path / place / "model.safetensors").read_bytes() for place in ("often", "never"))
    assert one == other


@pytest.mark.parametrize("stop", [2, 20, 40])
def test_a_plain_run_ends_the_same_wherever_it_was_stopped(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the clock is read, while the rate is held, and while it falls and the held-out rows are learned."""
    run, straight, stopped = RUNS["rows by the clock"], tmp_path / "straight", tmp_path / "stopped"
    run.fit(straight, checkpoint_every="7")
    told = {line["kind"]: line for line in log_of(straight)}
    assert 2 < told["steps"]["step"] < 20 < told["fall"]["step"] < 40 < told["refit"]["step"]
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_at(patch, stop)
        run.fit(stopped, checkpoint_every="7")
    run.resume(stopped)
    same_run(stopped, straight)


@pytest.mark.soak
def test_killed_at_random_moments_they_end_as_if_they_had_never_been(
    tmp_path: Path, times: Callable[[int, int], int]
) -> None:
    """``kill -9`` of a process of its own; `killing.py` is that program. (Rows: in test_reliability.py.)"""
    program, names = (
        Path(__file__).with_name("killing.py"),
        ("windows", "rows by the clock", "lanes, k2 > k1", "several at once"),
    )
    names = names[: times(2, 4)]  # the others are stopped at many steps above
    done = warm.run(program.read_text("utf-8"), tmp_path, times(2, 50), *names)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.splitlines() == [*names]


@pytest.mark.signals_itself
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_where_it_came(number: signal.Signals, tmp_path: Path) -> None:
    """Requirement 18, in Python; the exit codes are the command line's."""
    run, straight, stopped = RUNS["lanes, k2 > k1"], tmp_path / "straight", tmp_path / "stopped"
    run.fit(straight)

    def send(event: dict[str, Any]) -> None:
        if event["kind"] == "valid" and event["step"] == 5:
            os.kill(os.getpid(), number)

    with pytest.raises(
        Interrupted, match=f"{number.name}: saved at step 5; resume with: unrolled fit --resume"
    ) as caught:
        run.fit(stopped, send)
    assert caught.value.exit_code == 128 + number
    saved = checkpoint.newest(stopped / "checkpoints")
    assert saved is not None
    assert saved.step == 5
    run.resume(stopped)
    same_run(stopped, straight)


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, straight, stopped = RUNS["lanes"], tmp_path / "straight", tmp_path / "stopped"
    run.fit(straight, checkpoint_every="2")
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_at(patch, 7)
        run.fit(stopped, checkpoint_every="2")
    tensors = stopped / "checkpoints" / "step-00000006" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1])
    said: list[str] = []
    from unrolled import api

    api.fit(run.data, out=stopped, resume=True, say=said.append)
    assert any("skipped a damaged checkpoint" in line and "step-00000006" in line for line in said)
    assert "resuming from step 4" in said
    same_run(stopped, straight)


def test_a_finished_run_says_so_and_is_opened(tmp_path: Path) -> None:
    from unrolled import api

    RUNS["plain rows"].fit(tmp_path / "run")
    before = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    said: list[str] = []
    model = api.fit(None, out=tmp_path / "run", resume=True, say=said.append)
    assert said == [f"{tmp_path / 'run'} is finished: nothing is left to train"]
    assert model.metrics["valid"]
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == before


def test_what_a_run_began_with_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unrolled import api

    file = tmp_path / "tunes.jsonl"
    file.write_text('{"text": "abcabcab"}\n' * 12, "utf-8")
    out = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_at(patch, 1)
        api.fit(str(file), out=out, steps=3, hidden=4)
    with pytest.raises(UsageError, match="was started with hidden = 4, not 5: a resumed run keeps its options"):
        api.fit(None, out=out, resume=True, hidden=5)
    file.write_text(file.read_text().replace("c", "d"), "utf-8")
    with pytest.raises(
        DataError, match=r"tunes.jsonl: the data has changed: it has the same size as when the run started"
    ):
        api.fit(None, out=out, resume=True)
    file.write_text(file.read_text().replace("d", "c"), "utf-8")
    assert api.fit(None, out=out, resume=True, hidden=4, steps=3).metrics


def test_data_in_memory_must_be_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unrolled import api

    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_at(patch, 1)
        RUNS["lanes"].fit(tmp_path / "run")
    with pytest.raises(UsageError, match="was trained on data in memory: pass the same data again to resume it"):
        api.fit(None, out=tmp_path / "run", resume=True)
