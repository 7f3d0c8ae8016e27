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
