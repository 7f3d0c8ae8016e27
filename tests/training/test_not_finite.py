"""Requirement 11: steps whose loss or gradient is not finite are skipped, and ten in a row stop the run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from trainers import poison, trainer, weights

from unrolled.errors import TrainingError
from unrolled.training import checkpoint
from unrolled.training.hooks import Event


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
