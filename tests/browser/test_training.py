"""The page of a training in a real browser: it is loaded again until the reader pauses that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runs.test_training_log import EVENTS
from runs.test_training_page import state

from unrolled.runs import training_page
from unrolled.runs.training_log import from_events


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(training_page, "RELOAD", 0.5)
    return training_page.training_page(state(from_events(EVENTS)), follow=True)


def test_it_is_loaded_again_with_what_was_written_since(page: str, opened: Any, tmp_path: Path) -> None:
    shown = opened(page)
    (tmp_path / "page0.html").write_text(page.replace("step 90", "step 95"), "utf-8")
    shown.page.wait_for_selector("p.soft:has-text('step 95')", timeout=20_000)
    assert shown.said == []


def test_the_reader_may_pause_it_and_that_stays(page: str, opened: Any, tmp_path: Path) -> None:
    shown = opened(page)
    shown.page.click("text=Pause")
    (tmp_path / "page0.html").write_text(page.replace("step 90", "step 95"), "utf-8")
    shown.page.wait_for_timeout(1_500)
    assert "step 90" in shown.page.inner_text("header")
    shown.page.reload()
    shown.page.wait_for_selector("text=Follow the training")
    assert "step 95" in shown.page.inner_text("header")
    assert shown.violations() == []
