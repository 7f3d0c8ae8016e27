from __future__ import annotations

import io
import logging
from types import SimpleNamespace

import pytest

from unrolled.runs.progress import Progress

STEP = {"kind": "step", "step": 20, "epoch": 0, "seconds": 1.5, "progress": 0.25, "loss": 1.25, "lr": 0.1}
VALID = {"kind": "valid", "step": 20, "epoch": 0, "seconds": 2.0, "progress": None, "loss_nats_per_token": 1.5}
SKIPPED = {"kind": "skipped", "step": 21, "epoch": 0, "seconds": 2.0, "progress": None, "loss": float("nan")}


def test_without_a_terminal_there_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=False) as progress:
        for event in (STEP, STEP, VALID, SKIPPED):
            progress.hook(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "step 20, 2 s: loss 1.25, valid loss_nats_per_token 1.5",
        "step 21: skipped, its loss or gradient is not finite",
    ]


def test_what_happens_to_the_training_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    at = {"step": 60, "epoch": 2, "seconds": 2.0, "progress": None}
    fall = {**at, "kind": "fall", "steps": 20, "best": 60, "early": False, "refit": False}
    with Progress(quiet=False) as progress:
        progress.hook({**at, "kind": "steps", "total": 2600, "every": 130, "per_second": 12.41})
        progress.hook({**at, "kind": "flat", "loss": 0.69, "first": 0.693, "lr": 0.002})
        progress.hook(fall)
        progress.hook({**fall, "best": 40, "early": True, "refit": True})
        progress.hook({**fall, "best": 0, "early": True, "steps": 0})
        progress.hook({**at, "kind": "refit", "before": 0.5, "after": 0.4, "kept": True})
        progress.hook({**at, "kind": "refit", "before": 0.5, "after": 0.9, "kept": False})
    assert capsys.readouterr().err.splitlines() == [
        "training: 2,600 steps (12.4 a second, measured once)",
        "step 60: it learns nothing so far: its training loss is 0.69, as at the start (0.693). Check that the inputs "
        "say something about the target, or try another lr than 0.002",
        "step 60: the learning rate falls for the last 20 steps",
        "step 60: nothing better since step 40; the learning rate falls for the last 20 steps, and the validation data "
        "is learned too",
        "step 60: no validation was better than the first weights, which are kept",
        "step 60: the weights that learned the validation data too are kept",
        "step 60: learning the validation data raised the loss on it from 0.5 to 0.9, so the weights from before are "
        "kept",
    ]


def test_a_step_is_told_every_ten_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 11.0, 11.0])
    monkeypatch.setattr("unrolled.runs.progress.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with Progress(quiet=False) as progress:
        progress.hook(STEP)
        progress.hook(STEP)
    assert capsys.readouterr().err == "25% step 20, 2 s: loss 1.25\n"


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True) as progress:
        progress.say("a line")
        progress.hook(VALID)
        logging.getLogger("unrolled.runs.trained").warning("careful")
    assert capsys.readouterr() == ("", "")


def test_a_warning_of_the_library_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=False):
        logging.getLogger("unrolled.runs.trained").warning("3 of %d rows", 9)
    assert capsys.readouterr().err == "warning: 3 of 9 rows\n"


@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal_there_is_a_bar_and_lines_stand_above_it(monkeypatch: pytest.MonkeyPatch, colour: bool) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    (monkeypatch.delenv if colour else monkeypatch.setenv)("NO_COLOR", *([False] if colour else ["1"]))  # type: ignore[operator]
    with Progress(quiet=False) as progress:
        progress.hook(STEP)
        progress.say("a [line]")
        progress.hook(VALID)
        progress.hook({**VALID, "kind": "valid_final"})
    told = terminal.getvalue()
    assert "25%" in told
    assert "a [line]" in told
    assert "step 20, loss 1.25" in told
    assert ("\x1b[38" in told or "\x1b[3" in told) == colour
