"""The page of the tour in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from unrolled.tour.walk import walk

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def tour() -> str:
    return walk(steps=3).html


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_one_request_without_an_error_or_a_violation(opened: Open, tour: str, scheme: str) -> None:
    found = opened(tour, color_scheme=scheme)
    assert len(found.requests) == 1
    assert found.said == []
    assert found.violations() == []


def test_the_two_drawings_move_each_by_its_own_keys(opened: Open, tour: str) -> None:
    page = opened(tour).page
    drawings = page.locator("[role=group][tabindex]")
    assert drawings.count() == 2
    drawings.nth(1).focus()
    page.keyboard.press("End")
    page.wait_for_selector("#said:has-text('step 11 (0–11)')", state="attached", timeout=5_000)
    assert [one.inner_text() for one in page.query_selector_all(".steps .soft")] == [
        "step 0 (0–11)",
        "step 11 (0–11)",
    ]
    verdicts = {cell.inner_text() for cell in page.query_selector_all("[role=region] tbody tr td:last-child")}
    assert "adds up" in verdicts and "does not add up" not in verdicts


def test_it_fits_a_telephone(opened: Open, tour: str) -> None:
    page = opened(tour, viewport={"width": 320, "height": 700}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
