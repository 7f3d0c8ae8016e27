"""The page of a row in a real browser: offline, with the keyboard only, without a violation, and small where rows are long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from unrolled.page.document import Grid, Section, document

Open = Callable[..., Any]
GATES = ("layer 1, input gate", "layer 1, forget gate", "layer 1, output gate", "layer 1, hidden state")


def page_of(steps: int, units: int, *, missing: bool = False, first: int = 0) -> str:
    """A row of ``steps`` letters from step ``first`` on, with four values of ``units`` units, drawn from a fixed seed."""
    draw = np.random.default_rng(0)
    quantities = []
    for name in GATES:
        values = draw.random((steps, units), dtype=np.float32)
        if missing:
            values[1, 0] = np.nan
        quantities.append({"name": name, "grid": Grid(values, 0.0, 1.0), "units": list(range(units)), "gate": True})
    tokens = [chr(97 + at % 26) for at in range(steps)]
    chances = torch.softmax(torch.arange(3.0), 0).flip(0).numpy()
    following = {
        "symbols": ["a", "b", "c"],
        "ids": np.tile(np.arange(3, dtype=np.int32), (steps, 1)),
        "chances": np.tile(chances, (steps, 1)),
        "came": tokens,
        "unit": "nats",
    }
    loss = draw.random(steps, dtype=np.float32)
    values = {"quantities": quantities}
    return document(
        "Inside a model",
        "a row",
        [
            Section("Verdicts", '<dl class="verdicts"><dt>reach</dt><dd>far</dd></dl>'),
            Section("One unit over the row", view="text", data={"tokens": tokens, **values}, group="row", first=first),
            Section("What comes next", view="next", data=following, group="row", wide=False),
            Section("Gates", view="gates", data=values, group="row", wide=False),
            Section("All units over time", view="units", data=values, group="row", folded=True, first=first),
            Section("Loss", view="loss", data={"loss": loss, "unit": "nats"}, group="row", first=first),
        ],
    )


def test_it_works_offline_with_one_request_and_says_nothing_on_the_console(opened: Open) -> None:
    html = page_of(400, 16)
    found = opened(html)
    found.unfold()
    assert len(found.requests) == 1 and found.requests[0].startswith("file://")
    assert found.said == []
    policy = found.page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert policy.startswith("default-src 'none'") and "connect-src 'none'" in policy


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(opened: Open, scheme: str) -> None:
    found = opened(page_of(400, 16), color_scheme=scheme)
    found.unfold()
    for button in found.page.query_selector_all("button[aria-expanded=false]"):
        button.click()
    assert found.violations() == []


def test_every_control_is_reached_by_tab_and_arrows_move_the_step(opened: Open) -> None:
    found = opened(page_of(60, 8))
    page = found.page
    assert found.unreached() == []
    page.focus("[role=application]")
    for key, step in [("ArrowRight", 1), ("ArrowDown", 21), ("ArrowLeft", 20), ("End", 59), ("Home", 0)]:
        page.keyboard.press(key)
        page.wait_for_selector(f"#said:has-text('step {step} (0–59)')", state="attached", timeout=5_000)
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#said:has-text('step 1 (0–59): b')", state="attached", timeout=5_000)
    assert "then came b" in page.inner_text("main")


def test_a_part_of_a_row_has_the_numbers_of_the_row(opened: Open) -> None:
    found = opened(page_of(60, 8, first=500))
    found.unfold()
    page = found.page
    page.focus("[role=application]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#said:has-text('step 501 (500–559): b')", state="attached", timeout=5_000)
    page.locator("button[aria-expanded=false]").first.click()
    assert page.locator("tbody th").all_inner_texts().count("500") == 1
    assert "steps 500 to 559" in page.inner_text("main")
    worst = page.locator("section:has(h2:text-is('Loss')) p button").first
    number = worst.inner_text().split(":")[0]
    assert 500 <= int(number.removeprefix("step ")) < 560
    worst.click()
    assert f"{number} (500–559)" in page.locator(".steps .soft").first.inner_text()


def test_a_missing_number_is_said_and_never_a_colour(opened: Open) -> None:
    found = opened(page_of(60, 8, missing=True))
    found.page.focus("[role=application]")
    found.page.keyboard.press("ArrowRight")
    row = found.page.locator("tr:has(th:text-is('layer 1, input gate'))").first
    assert row.locator("td").first.inner_text() == "no value"
    assert "no value, a map is grey" in found.page.locator(".controls:has(input[type=number])").inner_text()
    second = found.page.locator("[role=application] i").nth(1)
    assert second.evaluate("one => getComputedStyle(one).backgroundColor") == "rgba(0, 0, 0, 0)"


def test_it_fits_a_narrow_window_and_paper(opened: Open) -> None:
    found = opened(page_of(60, 8), viewport={"width": 320, "height": 700}, reduced_motion="reduce")
    found.unfold()
    assert found.page.evaluate("document.documentElement.scrollWidth") <= 320
    found.page.emulate_media(media="print")
    assert not found.page.locator(".steps").first.is_visible()


@pytest.mark.parametrize(("steps", "units"), [(10_000, 256), (100_000, 64)])
def test_a_long_row_keeps_the_document_small(opened: Open, steps: int, units: int) -> None:
    html = page_of(steps, units)
    assert len(html) <= 40e6
    page = opened(html).page
    page.click("summary")
    assert page.evaluate("document.querySelectorAll('*').length") <= 5_000
    page.focus("[role=application]")
    page.keyboard.press("End")
    page.wait_for_selector(f"#said:has-text('step {steps - 1:,} (0–{steps - 1:,})')", state="attached")
    assert page.locator("[role=application] i.at").get_attribute("data-step") == str(steps - 1)


def test_units_are_sorted_by_how_much_they_vary(opened: Open) -> None:
    values = np.zeros((40, 3), np.float32)
    values[:, 1] = np.linspace(0, 1, 40)  # varies most, and changes little from step to step
    values[:, 2] = 0.2 * (np.arange(40) % 2)
    data = {"quantities": [{"name": "state", "grid": Grid(values, 0.0, 1.0), "units": [0, 1, 2], "gate": False}]}
    page = opened(document("A", "b", [Section("Units", view="units", data=data, group="row")])).page
    box, chosen = page.locator(".canvas"), []
    for order in ("", "how much it varies", "how much it changes in a step"):
        page.select_option("label:has-text('sorted by') select", order)
        box.click(position={"x": 5, "y": 5})  # the topmost unit
        chosen.append(page.locator(".controls .soft").first.inner_text().partition("; ")[2])
    assert chosen == ["unit 0 is framed", "unit 1 is framed", "unit 2 is framed"]
