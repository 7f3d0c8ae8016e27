from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, network_for, rows_of, training
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.errors import DataError, Interrupted, ModelError, TrainingError, UsageError
from unrolled.metrics.metric import cost
from unrolled.tasks.task import Task
from unrolled.training import checkpoint
from unrolled.training.evaluate import evaluate
from unrolled.training.hooks import Event
from unrolled.training.position import Progress
from unrolled.training.trainer import Trainer


def trainer(
    folder: Path,
    sample: str = "classify",
    model: str = "gru",
    hooks: tuple[Any, ...] = (),
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> Trainer:
    task = SAMPLES[sample].ask()
    examples = SAMPLES[sample].examples(task)
    torch.manual_seed(0)
    network = network_for(task, model)
    return Trainer(network, task, examples, examples, training(options), folder, hooks, clock=clock)


def weights(one: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in one.network.state_dict().items()}


def poison(one: Trainer, when: Callable[[int], bool], value: float = math.nan) -> None:
    """The loss is ``value`` times itself at the steps where ``when`` says so."""
    loss = one.task.loss

    def poisoned(outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        total, count = loss(outputs, batch)
        training = torch.is_grad_enabled()
        return (total * value if training and when(one.progress.step) else total), count

    one.task.loss = poisoned  # type: ignore[method-assign]


# --- the loop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_kind_of_question_is_learned(sample: str, tmp_path: Path) -> None:
    one = trainer(tmp_path, sample, steps=25, lr=0.05)
    before = evaluate(one.network, one.task, one.valid, one.config)[one.task.watch]
    progress = one.run()
    after = evaluate(one.network, one.task, one.valid, one.config)
    assert after[one.task.watch] < before
    assert progress.best == pytest.approx(cost(one.task.chooses, after[one.task.chooses]), abs=1e-6)
    assert progress.step == 25


@pytest.mark.parametrize(
    ("options", "steps"), [({"steps": 7}, 7), ({"steps": None, "epochs": 2.0}, 6), ({"steps": None, "epochs": 0.5}, 2)]
)
def test_the_budget_is_kept(options: dict[str, Any], steps: int, tmp_path: Path) -> None:
    assert trainer(tmp_path, **options).run().step == steps  # an epoch of ten rows has three batches


class Ticking:
    """A clock that goes on by so many seconds each time it is read, and by more when it is told."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def test_minutes_become_steps_once(tmp_path: Path) -> None:
    seen: list[Event] = []
    one = trainer(tmp_path, hooks=(seen.append,), clock=Ticking(0.01), steps=None, minutes=0.1)  # 600 readings
    progress = one.run()
    (told,) = [event for event in seen if event["kind"] == "steps"]
    assert told["per_second"] == pytest.approx(100)
    assert 20 <= told["step"] < 40
    assert progress.step == progress.total == told["total"]
    assert 560 <= progress.step <= 600
    assert progress.validations >= 20
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    assert saved.meta["total"] == progress.total


def test_validations_that_take_long_leave_most_of_the_minutes_to_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Ticking(0.01)

    def long(*given: Any) -> dict[str, float]:
        clock.now += 1
        return evaluate(*given)

    monkeypatch.setattr("unrolled.training.selection.evaluate", long)
    progress = trainer(tmp_path, clock=clock, steps=None, minutes=0.1).run()  # six seconds
    assert progress.validations == 2  # when the clock was read, and at the end
    assert 200 < progress.step < 300
    assert progress.seconds < 6


def test_slow_steps_are_not_timed_for_longer_than_a_tenth_of_the_minutes(tmp_path: Path) -> None:
    progress = trainer(tmp_path, clock=Ticking(1.0), steps=None, minutes=0.5).run()  # thirty seconds
    assert 20 <= progress.step <= 30


def test_without_a_budget_the_rate_falls_when_validation_no_longer_improves(tmp_path: Path) -> None:
    seen: list[Event] = []
    one = trainer(tmp_path, hooks=(seen.append,), clock=Ticking(0.1), steps=None, lr=1e-12, patience=3)
    progress = one.run()
    (told,) = [event for event in seen if event["kind"] == "fall"]
    assert (told["step"], told["best"], told["steps"], told["early"], told["refit"]) == (160, 40, 20, True, False)
    assert progress.step == 180
    assert [event["step"] for event in seen if event["kind"] == "valid"] == [40, 80, 120, 160, 180]


def test_the_weights_that_validated_best_are_kept(tmp_path: Path) -> None:
    judged: list[float] = []

    def ruin(event: Event) -> None:
        if event["kind"] != "valid":
            return
        judged.append(cost(one.task.chooses, event[one.task.chooses]))
        if event["step"] == 3:
            with torch.no_grad():
                one.network.head.weight.mul_(-50)

    one = trainer(tmp_path, "regress", steps=10, hooks=(ruin,))
    progress = one.run()
    assert len(judged) == 10
    assert min(judged[3:7]) > judged[2]  # then the rate falls, from the best weights
    assert progress.best == min(judged) <= judged[2]
    after = evaluate(one.network, one.task, one.valid, one.config)
    assert cost(one.task.chooses, after[one.task.chooses]) == progress.best


def test_of_validations_that_are_equally_good_the_one_with_the_lowest_loss_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [(0.5, 0.9), (1.0, 0.6), (1.0, 0.2), (1.0, 0.3), (0.8, 0.1), (1.0, 0.25), (1.0, math.nan)]
    values = iter({"macro_f1": f1, "loss_nats_per_label": loss} for f1, loss in told)
    monkeypatch.setattr("unrolled.training.selection.evaluate", lambda *_: next(values))
    one = trainer(tmp_path)
    kept = []
    for step in range(len(told)):
        one.progress.step = step
        one._validate()
        best = checkpoint.best(tmp_path)
        assert best is not None
        kept.append(best.meta["step"])
    assert kept == [0, 1, 2, 2, 2, 2, 2]
    assert (one.progress.best, one.progress.best_loss) == (-1.0, 0.2)
    assert one.progress.stale == 5  # a lower loss at the same F1 does not put off the end of training
    one.save()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    other = trainer(tmp_path)
    other.restore(saved)
    assert other.progress == one.progress


def test_a_checkpoint_of_an_earlier_version_has_no_loss_of_its_best(tmp_path: Path) -> None:
    one = trainer(tmp_path)
    one.progress.best = -0.5
    one.save()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    meta = {name: value for name, value in saved.meta.items() if name != "best_loss"}
    one.restore(replace(saved, meta=meta))
    assert (one.progress.best, one.progress.best_loss) == (-0.5, math.inf)


def test_hooks_are_told_of_steps_and_validations(tmp_path: Path) -> None:
    seen: list[Event] = []
    trainer(tmp_path, steps=40, hooks=(seen.append,)).run()
    steps = [event for event in seen if event["kind"] == "step"]
    assert [event["step"] for event in steps] == [20, 40]
    assert {"loss", "lr", "clipped_share", "epoch", "seconds", "progress"} <= steps[0].keys()
    assert [event["step"] for event in seen if event["kind"] == "valid"] == [4 * n for n in range(1, 11)]


def test_gradients_are_clipped_and_the_share_is_told(tmp_path: Path) -> None:
    seen: list[Event] = []
    progress = trainer(tmp_path, steps=20, clip=1e-6, hooks=(seen.append,)).run()
    assert progress.clipped == 20
    assert [event["clipped_share"] for event in seen if event["kind"] == "step"] == [1.0]
    assert trainer(tmp_path / "other", steps=20, clip=1e9).run().clipped == 0
    assert trainer(tmp_path / "none", steps=20, clip=None).run().clipped == 0


def test_biases_are_not_decayed(tmp_path: Path) -> None:
    one = trainer(tmp_path, weight_decay=0.5)
    for group in one.optimizer.param_groups:
        assert {p.dim() > 1 for p in group["params"]} == {group["weight_decay"] == 0.5}


def test_the_mode_of_training_is_on_while_it_trains(tmp_path: Path) -> None:
    one = trainer(tmp_path)
    one.network.eval()
    modes: list[bool] = []
    one.hooks = (lambda event: modes.append(one.network.training),)
    one.run()
    assert all(modes)


# --- what cannot be learned from ---------------------------------------------------------------------------------


def parts(sample: str, train: list[int], valid: list[int]) -> tuple[Task, Examples, Examples]:
    one = SAMPLES[sample]
    task = one.ask()
    return task, one.examples(task, rows_of(one, train)), one.examples(task, rows_of(one, valid))


def test_a_training_split_without_a_question_is_an_error(tmp_path: Path) -> None:
    one = SAMPLES["tag"]
    task = one.ask()
    empty, good = one.examples(task, rows_of(one, [])), one.examples(task)
    with pytest.raises(DataError, match="no training sequence is long enough to learn from"):
        Trainer(network_for(task, "gru"), task, empty, good, training({}), tmp_path).run()
    with pytest.raises(DataError, match="no validation sequence is long enough to evaluate on"):
        Trainer(network_for(task, "gru"), task, good, empty, training({}), tmp_path).run()


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "s", "0s", "1m", "soon"])
def test_when_to_save_is_said_in_steps_or_seconds(text: str, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=f"checkpoint_every must be steps, such as 50, or seconds, such as 30s, not '{text}'"
    ):
        trainer(tmp_path, checkpoint_every=text)


@pytest.mark.parametrize(("text", "due"), [("5", True), ("6", False), ("20s", True), ("21s", False), (None, False)])
def test_a_checkpoint_is_due_after_so_many_steps_or_seconds(text: str | None, due: bool, tmp_path: Path) -> None:
    found = trainer(tmp_path, checkpoint_every=text)
    assert found.every.is_due(step=10, seconds=20.0) is due


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bptt": 4, "bptt_gradient": 6}, r"must be a multiple of bptt \(4\), not 6"),
        ({"bptt_gradient": 6}, "only works"),
    ],
)
def test_the_gradient_reaches_back_whole_windows(options: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"bptt_gradient {why}"):
        trainer(tmp_path, "tag", **options)


# --- requirement 11: what is not finite --------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_step_that_is_not_finite_is_skipped_and_told(value: float, tmp_path: Path) -> None:
    seen: list[Event] = []
    one = trainer(tmp_path, steps=20, hooks=(seen.append,))
    kept: dict[int, dict[str, Tensor]] = {}
    poison(one, lambda step: kept.update({step: weights(one)}) is None and step in (3, 4, 9), value)
    progress = one.run()
    assert progress.skipped == 3
    assert progress.skipped_in_row == 0
    assert [event["step"] for event in seen if event["kind"] == "skipped"] == [3, 4, 9]
    assert all(torch.equal(kept[3][name], kept[5][name]) for name in kept[3])
    assert all(tensor.isfinite().all() for tensor in weights(one).values())
    assert any(not torch.equal(kept[5][name], kept[6][name]) for name in kept[5])


def test_ten_in_a_row_stop_the_run_and_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    one = trainer(tmp_path, steps=100, checkpoint_every="2")
    poison(one, lambda step: step >= 21)
    with pytest.raises(
        TrainingError, match=r"not finite for 10 steps in a row \(step 30\); earlier checkpoints are kept"
    ):
        one.run()
    saved, best = checkpoint.newest(tmp_path), checkpoint.best(tmp_path)
    assert saved is not None
    assert best is not None
    assert saved.step == 20  # none was written of the steps that failed
    for found in (saved, best):
        assert all(tensor.isfinite().all() for tensor in checkpoint.section(found.tensors, "model").values())


def test_nine_in_a_row_do_not(tmp_path: Path) -> None:
    one = trainer(tmp_path, steps=40)
    poison(one, lambda step: step % 10 != 0)
    assert one.run().skipped == 36


def test_an_overflow_never_replaces_the_best(tmp_path: Path) -> None:
    """The weights grow beyond all bounds in the middle: what is judged after that is not finite."""
    judged: dict[int, float] = {}

    def overflow(event: Event) -> None:
        if event["kind"] == "valid":
            judged[event["step"]] = event["mse_scaled"]
            if event["step"] == 30:
                with torch.no_grad():
                    one.network.head.weight.mul_(1e30)

    one = trainer(tmp_path, "regress", steps=100, hooks=(overflow,))
    with pytest.raises(TrainingError):
        one.run()
    best = checkpoint.best(tmp_path)
    assert best is not None
    assert best.meta["step"] <= 30
    assert best.meta["metrics"]["mse_scaled"] == min(judged.values())


def test_a_validation_that_is_not_finite_is_stale(tmp_path: Path) -> None:
    one = trainer(tmp_path, "regress", steps=10)
    one.progress.best = 0.5
    with torch.no_grad():
        one.network.head.bias.fill_(math.inf)
    one._validate()
    assert (one.progress.best, one.progress.stale) == (0.5, 1)
    assert checkpoint.best(tmp_path) is None


# --- requirement 18: signals -------------------------------------------------------------------------------------


@pytest.mark.signals_itself
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_then_stops(number: signal.Signals, tmp_path: Path) -> None:
    def at_step_20(event: Event) -> None:
        if event["kind"] == "step":
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    one = trainer(tmp_path / "checkpoints", steps=100, hooks=(at_step_20,))
    with pytest.raises(
        Interrupted, match=rf"{number.name}: saved at step 20; resume with: unrolled fit --resume"
    ) as caught:
        one.run()
    assert caught.value.exit_code == 128 + number
    saved = checkpoint.newest(tmp_path / "checkpoints")
    assert saved is not None
    assert saved.step == 20
    assert signal.getsignal(number) is before


@pytest.mark.signals_itself
def test_a_signal_in_the_last_validation_is_not_lost(tmp_path: Path) -> None:
    def at_the_end(event: Event) -> None:
        if event["kind"] == "valid" and event["step"] == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    one = trainer(tmp_path / "checkpoints", hooks=(at_the_end,))
    with pytest.raises(Interrupted, match="SIGTERM: saved at step 6"):
        one.run()
    saved = checkpoint.newest(tmp_path / "checkpoints")
    assert saved is not None and saved.step == 6


def test_outside_the_main_thread_signals_are_left_alone(tmp_path: Path) -> None:
    done: list[Progress] = []
    one = trainer(tmp_path)
    thread = threading.Thread(target=lambda: done.append(one.run()))
    thread.start()
    thread.join()
    assert done[0].step == 6


# --- saving and going on (the whole of it is contract C9) --------------------------------------------------------


def test_a_checkpoint_holds_all_that_the_next_step_depends_on(tmp_path: Path) -> None:
    one = trainer(tmp_path, "tag", steps=5, bptt=2, batch=2)
    one.run()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    parts = {name.split(".")[0] for name in saved.tensors}
    assert parts == {"model", "average", "optimizer", "rng", "carry"}
    assert saved.meta["step"] == 5
    again = trainer(tmp_path, "tag", steps=5, bptt=2, batch=2)
    again.restore(saved)
    assert again.progress == one.progress


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path, model="gru").run()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    with pytest.raises(ModelError, match="the checkpoint of step 6 belongs to another network"):
        trainer(tmp_path, model="lstm").restore(saved)


def test_before_anything_validated_the_best_is_kept_as_none(tmp_path: Path) -> None:
    one = trainer(tmp_path)
    one.save()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    assert saved.meta["best"] is None
    one.restore(saved)
    assert one.progress.best == math.inf


def test_the_last_validation_is_not_repeated_by_a_run_that_was_killed_after_it(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    seen: list[Event] = []
    again = trainer(tmp_path, hooks=(seen.append,))
    again.restore(saved)
    assert again.run().step == 6
    assert seen == []


def test_the_order_of_rows_depends_on_the_seed(tmp_path: Path) -> None:
    runs = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        one = trainer(tmp_path / place, "regress", seed=seed)
        one.run()
        runs.append(np.concatenate([tensor.numpy().ravel() for tensor in weights(one).values()]))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
