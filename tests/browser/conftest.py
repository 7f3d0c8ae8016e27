"""Pages in a real Chromium, without a network: `make browser` installs what these tests need."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_READY = "html[data-ready=true]"
_ALL = "[...document.querySelectorAll('*')]"
_CONTROLS = "button:not([disabled]), select, input:not([disabled]), summary, a[href], textarea, [role=application]"
_SIZE = {"width": 1200, "height": 900}


class Opened:
    """A page that was opened as a file.

    Attributes:
        page: playwright's page.
        requests, said: what it asked for, and what it wrote to the console or raised.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def unfold(self) -> None:
        """Open every folded section."""
        for closed in self.page.query_selector_all("details:not([open]) > summary"):
            closed.click()

    def unreached(self) -> list[str]:
        """The controls in sight that Tab does not reach, and scroll places among them."""
        seen = self.page.evaluate(
            f"{_ALL}.map((one, at) => one.matches('{_CONTROLS}') && one.checkVisibility() ? at : -1)"
        )
        controls, reached = {at for at in seen if at >= 0}, set()
        for _ in range(len(controls) + 20):
            self.page.keyboard.press("Tab")
            reached.add(self.page.evaluate(f"{_ALL}.indexOf(document.activeElement)"))
        return [self.page.evaluate(f"{_ALL}[{at}].outerHTML.slice(0, 120)") for at in sorted(controls - reached)]

    def violations(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA and its best practice, each with the first place."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="make browser installs playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: make browser installs it")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


Open = Callable[..., Opened]


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """``opened(html)``: the page from a file, offline, once it is drawn; keywords as for playwright's ``new_context``."""
    contexts = []

    def opens(html: str, **asked: Any) -> Opened:
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(html, encoding="utf-8")
        contexts.append(chromium.new_context(**{"offline": True, "viewport": _SIZE, **asked}))
        found = Opened(contexts[-1].new_page())
        found.page.goto(file.as_uri())
        found.page.wait_for_selector(_READY, state="attached", timeout=20_000)
        return found

    yield opens
    for context in contexts:
        context.close()
