"""Charts in a page: they keep to its width and its colours, and axe finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from unrolled.inspection.network_picture import network_picture
from unrolled.models._sketch import Sketch, Stack
from unrolled.page.chart import Chart
from unrolled.page.document import Section, document

CHARTS = [
    Chart("Learning", x="step", y="loss").line([0, 1, 2], [2.0, np.nan, 1.0], "train").band([0, 1], [1, 1], [3, 2]),
    Chart("Confusion").cells([[3, 1], [np.nan, 2]], rows=["cat", "dog"], columns=["cat", "dog"]),
    Chart("Baselines", x="accuracy").bars([0.5, 0.9], ["majority", "lstm"]),
]
PAGE = document(
    "Charts",
    "",
    [Section(chart.title, chart.to_svg()) for chart in CHARTS]
    + [Section("Network", network_picture(Sketch(Stack(("lstm",)), pool="last"), "row", 0, "a network"))],
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_a_narrow_window_needs_no_scrolling(opened: Callable[..., Any], scheme: str) -> None:
    found = opened(PAGE, color_scheme=scheme, viewport={"width": 320, "height": 700})
    assert found.page.evaluate("document.documentElement.scrollWidth") <= 320
    widths = found.page.eval_on_selector_all("svg", "all => all.map(one => one.getBoundingClientRect().width)")
    assert len(widths) == 4 and all(200 < width <= 320 for width in widths)
    assert found.violations() == []
    assert found.said == []


def test_a_chart_has_the_colours_of_its_page(opened: Callable[..., Any]) -> None:
    inks = {
        scheme: opened(PAGE, color_scheme=scheme).page.eval_on_selector("svg", "one => getComputedStyle(one).fill")
        for scheme in ("light", "dark")
    }
    assert inks == {"light": "rgb(27, 27, 27)", "dark": "rgb(236, 239, 243)"}
