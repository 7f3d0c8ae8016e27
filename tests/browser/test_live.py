"""The live page in a real browser: what is typed is drawn, and a unit that is held changes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import unrolled as ur
from unrolled.page.live_page import LivePage
from unrolled.runs.live_inspection import LiveInspection

TEXT = ["the cat sat on the mat.", "the dog ate the hat."] * 12


@pytest.fixture
def live(tmp_path: Any) -> Iterator[LivePage]:
    own = {"hidden": 8, "layers": 1, "steps": 3, "only": "none", "blend": "none", "tokens": "characters"}
    model = ur.fit({"text": TEXT}, model="lstm", out=tmp_path / "run", quiet=True, **own)
    page = LiveInspection(model, ur.inspect(model, {"text": TEXT[:1]})).page()
    server = threading.Thread(target=page.serve)
    server.start()
    yield page
    page.stop()
    server.join(10)


def test_typing_and_holding(chromium: Any, live: LivePage) -> None:
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(live.address)
    page.wait_for_selector("html[data-ready=true]", state="attached")
    assert page.locator("[role=application]").inner_text() == f"<begin>{TEXT[0]}"
    page.locator("textarea").press_sequentially("the cat", delay=30)
    page.wait_for_selector("[role=application]:has-text('<begin>the cat')")
    page.wait_for_selector(".steps:has-text('step 7 (0–7)')")
    assert page.locator("[role=application]").inner_text() == "<begin>the cat"
    page.locator("textarea").press("Backspace")  # the text is read again from its start
    page.wait_for_selector(".steps:has-text('step 6 (0–6)')")
    page.click("text=Why the answer at this step?")
    page.wait_for_selector("section:has(textarea) p:has-text('the answer at step 6')")
    page.locator("label:has-text('held at') input").fill("0")
    page.click("text=Hold it")
    page.wait_for_selector("[role=status]:has-text('with 1 held; without that it is')")
    row = page.locator("tr:has(th:text-is('layer 1, input gate'))")
    assert row.locator("td").first.inner_text() == "0"
    page.click("text=let go")
    page.wait_for_selector("li:has-text('layer 1')", state="detached")
    page.locator("textarea").press_sequentially("Q")  # never seen
    page.wait_for_selector("[role=status]:has-text(\"never saw 'Q'\")")
    page.click("text=End")
    page.wait_for_selector("[role=status]:has-text('ended')")
    context.close()
    assert [line for line in said if "422" not in line] == []


def test_two_windows_of_one_page(chromium: Any, live: LivePage) -> None:
    context = chromium.new_context()
    pages = [context.new_page() for _ in range(2)]
    for page in pages:
        page.goto(live.address)
        page.wait_for_selector("html[data-ready=true]", state="attached")
    written = [("the c", "at"), ("the do", "g")]
    for part in range(2):  # by turns
        for page, texts in zip(pages, written, strict=True):
            page.locator("textarea").press_sequentially(texts[part])
            page.wait_for_selector(f"[role=application]:has-text('<begin>{''.join(texts[: part + 1])}')")
    pages[0].click("text=End")
    pages[0].wait_for_selector("[role=status]:has-text('ended')")
    pages[1].locator("textarea").press_sequentially(".")
    pages[1].wait_for_selector("[role=status]:has-text('this page has ended')")
    context.close()
