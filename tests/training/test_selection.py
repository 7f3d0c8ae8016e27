"""Which weights are kept: those that validated best, and of equally good ones those with the lowest loss."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trainers import trainer

from unrolled.errors import TrainingError
from unrolled.metrics.metric import cost
from unrolled.training import checkpoint
from unrolled.training.evaluate import evaluate
from unrolled.training.hooks import Event


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


def test_before_anything_validated_the_best_is_kept_as_none(tmp_path: Path) -> None:
    one = trainer(tmp_path)
    one.save()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    assert saved.meta["best"] is None
    one.restore(saved)
    assert one.progress.best == math.inf


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
