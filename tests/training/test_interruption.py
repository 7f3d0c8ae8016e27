"""Requirement 18: a signal saves and then stops."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from trainers import trainer

from unrolled.errors import Interrupted
from unrolled.training import checkpoint
from unrolled.training.hooks import Event
from unrolled.training.position import Progress


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
