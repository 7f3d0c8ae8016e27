"""The end of a training: the rate falls, early where validation stops improving, and over all data if asked."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from samples import SAMPLES, network_for, rows_of, training
from torch import Tensor

from unrolled.data.examples.examples import Examples
from unrolled.training import checkpoint
from unrolled.training.clock import Allowance
from unrolled.training.evaluate import evaluate
from unrolled.training.hooks import Event
from unrolled.training.trainer import Trainer

LOSS = "mse_scaled"


def parts(sample: str) -> tuple[Any, Examples, Examples, Examples]:
    """The task, and what is trained on, held out, and both."""
    one = SAMPLES[sample]
    task = one.ask()
    rows = (range(1, 7), range(7, 10), range(1, 10))
    return task, *(one.examples(task, rows_of(one, list(numbers))) for numbers in rows)


def trainer(folder: Path, *, refit: bool = False, sample: str = "regress", **more: Any) -> tuple[Trainer, list[Event]]:
    own = {name: more.pop(name) for name in ("from_start", "allowance", "everything", "clock") if name in more}
    task, train, valid, whole = parts(sample)
    if refit:
        own["everything"] = lambda: whole
    torch.manual_seed(0)
    seen: list[Event] = []
    network = network_for(task, "gru")
    return Trainer(network, task, train, valid, training(more), folder, (seen.append,), **own), seen


def of_kind(seen: list[Event], kind: str) -> list[Event]:
    return [event for event in seen if event["kind"] == kind]


def weights(one: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in one.network.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def judged(values: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """The validations of a run find these losses, and then the last one."""
    left = list(values)
    monkeypatch.setattr(
        "unrolled.training.selection.evaluate", lambda *_: {LOSS: left.pop(0) if len(left) > 1 else left[0]}
    )


def as_regression(one: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one.task, "chooses", LOSS)
    monkeypatch.setattr(one.task, "watch", LOSS)


# --- when it begins ----------------------------------------------------------------------------------------------


def test_the_rate_falls_from_three_quarters_on(tmp_path: Path) -> None:
    one, seen = trainer(tmp_path, steps=80, lr=0.01)
    assert one.run().step == 80
    (told,) = of_kind(seen, "fall")
    assert (told["step"], told["steps"], told["early"], told["refit"]) == (60, 20, False, False)
    rates = {event["step"]: event["lr"] for event in of_kind(seen, "step")}
    assert rates[60] == 0.01
    assert rates[80] == pytest.approx(0.01 * (0.02 + 0.98 * (1 - math.sqrt(19 / 20))))


def test_on_data_that_overfits_it_falls_early_from_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged([0.9, 0.8, 0.81, 0.82, 0.83], monkeypatch)
    one, seen = trainer(tmp_path, steps=800, patience=2)
    as_regression(one, monkeypatch)
    begun: dict[str, Tensor] = {}
    take = one._step

    def step(loader: Any) -> None:
        if one.progress.step == 320:
            begun.update(weights(one))
        take(loader)

    one._step = step  # type: ignore[method-assign]
    progress = one.run()
    (told,) = of_kind(seen, "fall")
    assert (told["step"], told["best"], told["steps"], told["early"]) == (320, 160, 160 // 3, True)
    assert progress.step == 320 + 160 // 3
    before = checkpoint.best(tmp_path, "before")
    assert before is not None and before.step == 160
    assert same(begun, checkpoint.section(before.tensors, "model"))
    assert same(weights(one), checkpoint.section(before.tensors, "model"))  # nothing after it was better


def test_few_steps_between_validations_are_no_plateau(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged([0.5, 0.6], monkeypatch)
    one, seen = trainer(tmp_path, steps=30)
    as_regression(one, monkeypatch)
    assert one.run().step == 30
    assert not of_kind(seen, "fall")[0]["early"]


# --- the first weights -------------------------------------------------------------------------------------------


def test_the_first_weights_may_be_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged([0.5, 0.6], monkeypatch)
    one, seen = trainer(tmp_path, steps=40, from_start=True)
    as_regression(one, monkeypatch)
    begun = weights(one)
    progress = one.run()
    assert [event["step"] for event in of_kind(seen, "valid")][:2] == [0, 4]
    assert progress.best_at == 0
    assert same(weights(one), begun)


def test_where_nothing_is_better_than_the_first_weights_nothing_is_refined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged([0.5, 0.6], monkeypatch)
    one, seen = trainer(tmp_path, refit=True, steps=40, from_start=True)
    as_regression(one, monkeypatch)
    begun = weights(one)
    assert one.run().step == 30
    assert of_kind(seen, "fall")[0]["steps"] == 0
    assert same(weights(one), begun)


# --- all data ----------------------------------------------------------------------------------------------------


def test_what_was_held_out_is_learned_in_the_fall(tmp_path: Path) -> None:
    one, seen = trainer(tmp_path, refit=True, sample="tag", steps=80, lr=0.01)
    read: dict[int, int] = {}
    take = one._step

    def step(loaders: Any) -> None:
        read[one.progress.step] = len(loaders[0].examples.steps())
        take(loaders)

    one._step = step  # type: ignore[method-assign]
    progress = one.run()
    assert progress.refit and progress.checked and not progress.refused
    assert {read[step] for step in range(60)} == {6}
    assert {read[step] for step in range(60, 80)} == {9}
    assert max(event["step"] for event in of_kind(seen, "valid")) == 60  # then there is nothing left to judge by
    (told,) = of_kind(seen, "refit")
    assert told["kept"] and told["after"] < told["before"]
    best, before = one.selection.best_metrics(), one.selection.before_refit(progress)
    assert best is not None and before is not None
    assert best[one.task.watch] == progress.best_loss == told["before"]
    assert not same(weights(one), before)
    assert one.valid is not None
    after = evaluate(one.network, one.task, one.valid, one.config)
    assert after[one.task.watch] == pytest.approx(told["after"])
    assert len(one.learned().steps()) == 9


@pytest.mark.parametrize(("after", "kept"), [(0.52, True), (0.53, False), (math.nan, False)])
def test_weights_that_are_worse_after_it_are_not_kept(
    after: float, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged([0.6, 0.5, after], monkeypatch)
    one, seen = trainer(tmp_path, refit=True, allowance=Allowance(12, 8))
    as_regression(one, monkeypatch)
    progress = one.run()
    assert [event["kept"] for event in of_kind(seen, "refit")] == [kept]
    best = checkpoint.best(tmp_path)
    assert best is not None and best.step == 9
    assert same(weights(one), checkpoint.section(best.tensors, "model")) != kept
    assert (one.selection.before_refit(progress) is None) != kept
    assert len(one.learned().steps()) == (9 if kept else 6)


def test_data_that_cannot_be_learned_is_not(tmp_path: Path) -> None:
    one, seen = trainer(tmp_path, everything=lambda: None, steps=20)
    assert not one.run().refit
    assert not of_kind(seen, "refit")
    assert of_kind(seen, "valid")[-1]["step"] == 20


# --- paused, stopped, and resumed --------------------------------------------------------------------------------


class Stop(Exception):
    """As sudden as a kill."""


def until(step: int, one: Trainer) -> None:
    take = one._step

    def stopping(loader: Any) -> None:
        if one.progress.step == step:
            raise Stop
        take(loader)

    one._step = stopping  # type: ignore[method-assign]


@pytest.mark.parametrize(("stop", "refit"), [(5, False), (29, True), (31, False), (31, True), (45, True)])
def test_stopped_anywhere_it_ends_the_same(refit: bool, stop: int, tmp_path: Path, monkeypatch: Any) -> None:
    def found(one: Trainer) -> dict[str, float]:
        """Better until step 20, worse until the fall, and then better again, so that the best is replaced."""
        step = one.progress.step
        return {LOSS: 1 - step / 100 if step <= 20 else 0.9 if step <= 40 else 0.6 - step / 1000}

    def run(folder: Path, at: int | None) -> Trainer:
        options = {"steps": 60, "patience": 2, "checkpoint_every": "3"}
        for place in (at, None) if at is not None else (None,):
            one, _ = trainer(folder, refit=refit, **options)
            as_regression(one, monkeypatch)
            monkeypatch.setattr("unrolled.training.selection.evaluate", lambda *_, of=one: found(of))
            saved = checkpoint.newest(folder)
            if saved is not None:
                one.restore(saved)
            if place is None:
                one.run()
                return one
            until(place, one)
            with pytest.raises(Stop):
                one.run()
        raise AssertionError

    straight, stopped = run(tmp_path / "straight", None), run(tmp_path / "stopped", stop)
    assert (straight.progress.fall, straight.progress.end) == (30, 50)
    assert same(weights(stopped), weights(straight))
    assert replace(stopped.progress, seconds=0, saved=0) == replace(straight.progress, seconds=0, saved=0)


def test_it_pauses_where_it_is_asked_to_and_goes_on_elsewhere(tmp_path: Path) -> None:
    def never() -> float:
        nonlocal read
        read += 1
        return 0.0

    read = 0
    straight, _ = trainer(tmp_path / "straight", steps=None, minutes=1.0, allowance=Allowance(40, 4), clock=never)
    straight.run()
    paused, _ = trainer(tmp_path / "paused", steps=None, minutes=1.0, allowance=Allowance(40, 4), clock=never)
    assert paused.run(until=10).step == 10
    with paused.averaged():
        averaged = weights(paused)
    assert not same(averaged, weights(paused))
    saved = checkpoint.newest(tmp_path / "paused")
    assert saved is not None and saved.step == 10
    other, _ = trainer(tmp_path / "paused", steps=None, minutes=1.0)  # the steps are in the checkpoint
    other.restore(saved)
    assert other.run().step == 40
    assert same(weights(other), weights(straight))


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    one, _ = trainer(tmp_path, steps=40)
    one.run(until=10)
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    known = [
        "step",
        "epoch",
        "index",
        "seconds",
        "saved",
        "validations",
        "validated",
        "best",
        "best_loss",
        "stale",
        "clipped",
        "skipped",
    ]
    meta = {name: saved.meta[name] for name in (*known, "skipped_in_row", "loss", "count")}
    meta |= {"rest": 1.5, "factor": 0.5}
    tensors = {name: tensor for name, tensor in saved.tensors.items() if not name.startswith("average.")}
    again, _ = trainer(tmp_path, steps=40)
    again.restore(replace(saved, meta=json.loads(json.dumps(meta)), tensors=tensors))
    assert same(again.average.tensors(), {name: p.detach() for name, p in again.network.named_parameters()})
    progress = again.run()
    assert (progress.step, progress.fall, progress.end) == (40, 30, 40)


def test_a_run_of_an_earlier_version_that_had_used_its_minutes_ends(tmp_path: Path) -> None:
    one, _ = trainer(tmp_path, steps=None, minutes=0.01)
    one.progress.step, one.progress.seconds = 7, 0.7
    assert one.run().step == 7


# --- a run that learns nothing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("lr", "told"), [(1e-9, 1), (0.01, 0)])
def test_a_run_that_learns_nothing_says_so(lr: float, told: int, tmp_path: Path) -> None:
    one, seen = trainer(tmp_path, steps=200, lr=lr)
    one.run()
    flat = of_kind(seen, "flat")
    assert len(flat) == told
    if told:
        assert flat[0]["step"] == 100
        assert flat[0]["loss"] == pytest.approx(flat[0]["first"], rel=0.02)
        assert flat[0]["lr"] == lr
