"""Saving in the middle and going on; the whole of it is contract C9."""

from __future__ import annotations

from pathlib import Path

import pytest
from trainers import trainer

from unrolled.errors import ModelError, UsageError
from unrolled.training import checkpoint
from unrolled.training.hooks import Event


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


def test_the_last_validation_is_not_repeated_by_a_run_that_was_killed_after_it(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    saved = checkpoint.newest(tmp_path)
    assert saved is not None
    seen: list[Event] = []
    again = trainer(tmp_path, hooks=(seen.append,))
    again.restore(saved)
    assert again.run().step == 6
    assert seen == []


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
