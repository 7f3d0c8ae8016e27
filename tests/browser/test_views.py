"""Every kind of data has its view: it opens offline and in silence, has a name, and says what is at the reader's step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from looking import CLICKS, looked_at
from samples import Sample, sequences

from unrolled.data.media.pictures import to_png
from unrolled.page.document import document
from unrolled.views.shown import shown

FRAMES = [[[(7 * n + 3 * t + c) % 11 / 5 for c in range(24)] for t in range(12)] for n in range(4)]
SOUND = Sample("classify", sequences({"x": FRAMES, "y": list("abab")}, {"x": "series", "y": "category"}), ("y",))
SHOTS = [[to_png(np.full((4, 6, 1), 60 * n + 20 * t, np.uint8)) for t in range(3)] for n in range(4)]
FILM = Sample("classify", sequences({"x": SHOTS, "y": list("abab")}, {"x": "video", "y": "category"}), ("y",))
Open = Callable[..., Any]

# view -> (sample, the row, model, the title of its section, its picture, what it says at the first step and after one more)
VIEWS: dict[str, tuple[str | Sample, int, str, str, str, str, str]] = {
    "clicks": (CLICKS, 2, "gru", "Ranked next items", "Place of the item", "milk came, place", "bread came, place"),
    "roll": ("next_step several", 4, "gru", "Expected and heard", "channels up", "expected in vain:", "missed:"),
    "numbers": ("next_step real", 4, "gru", "Expected and measured", "the forecast", "step 1: ", "step 2: "),
    "forecast": ("forecast quantiles", 8, "gru", "Forecasts along the row", "the forecast", "from step", "from step"),
    "labels": ("tag", 4, "gru", "Labels", "the probability of each label", "probability", "probability"),
    "crf": ("tag together", 4, "gru", "Labels", "the probability of each label", "probability", "probability"),
    "developing": (
        "classify",
        4,
        "gru",
        "The answer as it develops",
        "probabilities after",
        "after 1 of",
        "after 2 of",
    ),
    "number": ("regress", 4, "lstm", "The answer as it develops", "size after each step", "after 1 of", "after 2 of"),
    "attention": ("next_step", 4, "transformer", "Attention", "steps that look down", "step 0, <begin>", "step 1, "),
    "alignment": ("translate", 4, "gru", "Alignment", "steps that look down", "step 0, ", "step 1, "),
    "memory": ("next_step", 4, "deltanet", "Matrix memory", "a line for each head", "step 0: ", "step 1: "),
    "hidden": ("fill", 4, "bigru", "Each step hidden in turn", "the probability of each label", "step 0, ", "step 1, "),
    "picture": (SOUND, 1, "gru", "What is read: x", "numbers from below to above", "step 0: ", "step 1: "),
    "film": (FILM, 1, "gru", "What is read: x", "step 0", "picture is that of step 0", "picture is that of step 1"),
    "heard": ("transcribe", 4, "gru", "Symbols heard", "the probability of each label", "probability", "probability"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_says_what_is_at_the_step_of_the_reader(opened: Open, name: str) -> None:
    sample, row, model, title, picture, first, second = VIEWS[name]
    found = opened(document("Inside", name, shown(looked_at(sample, row, model))))
    found.unfold()
    assert found.said == [] and len(found.requests) == 1
    section = found.page.locator(f"section:has(h2:has-text('{title}'))").first
    aria = section.aria_snapshot()
    assert f'heading "{title}' in aria and picture in aria and "img" in aria, aria
    before = section.inner_text()
    assert first in before
    own = section.locator("input[type=range]")
    slider = own if own.count() else found.page.locator("input[aria-label=Step]").first
    slider.focus()
    found.page.keyboard.press("ArrowRight")
    after = section.inner_text()
    assert second in after and after != before
    found.page.wait_for_selector("#said:not(:empty)", state="attached", timeout=5_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_and_the_view_fits_a_narrow_window(opened: Open, name: str, scheme: str) -> None:
    sample, row, model, *_ = VIEWS[name]
    html = document("Inside", name, shown(looked_at(sample, row, model)))
    found = opened(html, color_scheme=scheme, viewport={"width": 320, "height": 700})
    found.unfold()
    for button in found.page.query_selector_all("button[aria-expanded=false]"):
        button.click()
    assert found.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert found.violations() == []
    assert scheme == "dark" or found.unreached() == []


def test_the_pair_under_the_pointer_is_said(opened: Open) -> None:
    looked = looked_at("translate", 4, "gru")
    page = opened(document("Inside", "alignment", shown(looked))).page
    section = page.locator("section:has(h2:has-text('Alignment'))").first
    weights = looked.trace["decoder, attention"]
    steps, seen = weights.shape
    box = section.locator(".canvas").last
    place = box.bounding_box()
    box.hover(position={"x": (2 + 0.5) * place["width"] / seen, "y": (1 + 0.5) * place["height"] / steps})
    words = section.inner_text()
    assert f"(step 2): {float(weights[1, 2]):.2f}" in words and "step 1, " in words
    page.mouse.move(0, 0)
    assert "step 0, " in section.inner_text()
