"""In a notebook a training is HTML that replaces itself, without widgets, and stays when it is over."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from unrolled.runs.notebook_progress import NotebookProgress
from unrolled.runs.progress import Progress

STEP = {"kind": "step", "step": 20, "epoch": 0, "seconds": 1.5, "progress": 0.25, "loss": 1.25, "lr": 0.1}
VALID = {"kind": "valid", "step": 20, "epoch": 0, "seconds": 2.0, "progress": 0.3, "loss_nats_per_token": 1.5}


def test_lines_a_bar_and_the_curves_are_shown() -> None:
    shown: list[str] = []
    progress = NotebookProgress(shown.append)
    progress.say("read <reviews.csv>")
    for step in (20, 40, 60):
        progress.step({**STEP, "step": step, "progress": step / 80}, f"step {step}")
        progress.step({**VALID, "step": step, "progress": step / 80}, f"step {step}")
    progress.draw()
    root = ElementTree.fromstring(shown[-1])
    assert "read <reviews.csv>" in [*root.itertext()]
    assert [of.get("value") for of in root.iter("progress")] == ["0.750"]
    assert {"loss", "valid loss_nats_per_token"} <= {*root.itertext()}
    assert "<script" not in shown[-1]


def test_a_loss_that_is_no_number_is_a_gap() -> None:
    shown: list[str] = []
    progress = NotebookProgress(shown.append)
    for step, loss in ((1, 1.0), (2, float("nan")), (3, 0.5)):
        progress.step({**STEP, "step": step, "loss": loss, "progress": None}, "")
    progress.draw()
    assert "and 1 without a value" in shown[-1] and "<progress" not in shown[-1]


def test_a_training_in_a_notebook_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    display = SimpleNamespace(
        HTML=str, display=lambda html, *, display_id: SimpleNamespace(update=lambda html: shown.append(html))
    )
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    with Progress(quiet=False) as progress:
        progress.say("a line")
        progress.hook(STEP)
        progress.hook(VALID)
    assert capsys.readouterr() == ("", "")
    assert "a line" in shown[-1]
    assert "25% step 20, loss 1.25" in "".join(shown) or "30% step 20, loss 1.25" in shown[-1]
    with Progress(quiet=True) as progress:
        before = len(shown)
        progress.say("a line")
    assert len(shown) == before
