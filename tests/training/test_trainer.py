"""The loop: it learns every kind of question, tells its hooks, clips, and refuses what cannot be learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import SAMPLES, network_for, rows_of, training
from trainers import trainer, weights

from unrolled.data.examples.examples import Examples
from unrolled.errors import DataError, UsageError
from unrolled.metrics.metric import cost
from unrolled.tasks.task import Task
from unrolled.training.evaluate import evaluate
from unrolled.training.hooks import Event
from unrolled.training.trainer import Trainer


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_kind_of_question_is_learned(sample: str, tmp_path: Path) -> None:
    one = trainer(tmp_path, sample, steps=15, lr=0.05)
    before = evaluate(one.network, one.task, one.valid, one.config)[one.task.watch]
    progress = one.run()
    after = evaluate(one.network, one.task, one.valid, one.config)
    assert after[one.task.watch] < before
    assert progress.best == pytest.approx(cost(one.task.chooses, after[one.task.chooses]), abs=1e-6)
    assert progress.step == 15


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


def test_the_norms_are_those_of_the_gradient_before_it_is_clipped(tmp_path: Path) -> None:
    seen: list[Event] = []
    one = trainer(tmp_path, steps=20, clip=1e-6, hooks=(seen.append,))
    one.run()
    (step,) = [event for event in seen if event["kind"] == "step"]
    assert list(step["gradient_norms"]) == ["columns.embeddings", "layer.layers.0", "head"]
    assert step["gradient_norm"] ** 2 == pytest.approx(sum(norm**2 for norm in step["gradient_norms"].values()))
    assert step["gradient_norm"] > 1e-3


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


def test_the_order_of_rows_depends_on_the_seed(tmp_path: Path) -> None:
    runs = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        one = trainer(tmp_path / place, "regress", seed=seed)
        one.run()
        runs.append(np.concatenate([tensor.numpy().ravel() for tensor in weights(one).values()]))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
