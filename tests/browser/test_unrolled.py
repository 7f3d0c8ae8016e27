"""The network unrolled in a real browser: its numbers, recomputed from the page, are the model's and add up."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Windows
from unrolled.inspection.trace import Trace, trace
from unrolled.page.document import document
from unrolled.views.looked import Looked
from unrolled.views.unrolled import unrolled

Open = Callable[..., Any]
TEXTS = {"text": ["abcabcabcabcabcabc"] * 12}
T = 19
GATES = {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate", "c": "cell state"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Trace]:
    """An LSTM of eight units on a row of letters, and its trace."""
    options: Any = {"task": "next_step", "steps": 40, "plan": "fixed", "only": "none", "hidden": 8, "model": "lstm"}
    model = ur.fit(TEXTS, **options, blend="none", out=tmp_path_factory.mktemp("runs") / "run", quiet=True)
    examples = model.encode(model.read(TEXTS), target=True)
    batch = Loader(examples, Windows(np.array([0]), np.array([T]), T, 1))[0]
    found = trace(model.network, model.task, batch)
    sections = [*unrolled(Looked(model.task, found, network=model.network))]
    return document("An LSTM", "letters", sections), found


def equations(page: Any, name: str) -> Iterator[tuple[str, float]]:
    """(an equation with its numbers, the model's value) of each unit."""
    page.click(f"button[data-name={name}]")
    for row in page.query_selector_all("[role=region] tbody tr"):
        _, written, found, verdict = (cell.inner_text() for cell in row.query_selector_all("th, td"))
        assert verdict == "adds up"
        yield written, float(found)


def worked_out(written: str) -> float:
    text = re.sub(r"σ", "sigmoid", written.split("=")[0]).replace("·", "*")
    assert re.fullmatch(r"[-0-9. +*()a-z]+", text)
    return float(eval(text, {"tanh": math.tanh, "sigmoid": lambda v: 1 / (1 + math.exp(-v))}))


def test_the_numbers_of_each_equation_give_the_models_value_at_every_step_asked(
    opened: Open, page: tuple[str, Trace]
) -> None:
    html, found = page
    shown = opened(html).page
    shown.focus("[role=group][tabindex]")
    for step in range(4):
        for name, says in {**GATES, "h": "hidden state"}.items():
            expected = found[f"layer 1, {says}"][step].tolist()
            rows = list(equations(shown, name))
            assert [value for _, value in rows] == pytest.approx(expected, abs=1e-3)
            assert [worked_out(written) for written, _ in rows] == pytest.approx(expected, abs=1e-3)
        shown.focus("[role=group][tabindex]")
        shown.keyboard.press("ArrowRight")
    assert "f · c₋₁ + i · g" in (shown.click("button[data-name=c]") or shown.inner_text("[role=region]"))


def test_the_numbers_on_the_arrows_are_the_models(opened: Open, page: tuple[str, Trace]) -> None:
    html, found = page
    shown = opened(html).page
    for name, says in {**GATES, "h": "hidden state"}.items():
        marks = shown.query_selector_all(f"svg text[data-name={name}][data-step]")
        assert len(marks) == 5 * 8
        for mark in marks:
            step, unit = (int(mark.get_attribute(f"data-{of}")) for of in ("step", "unit"))
            value = float(found[f"layer 1, {says}"][step, unit])
            assert float(mark.text_content()) == pytest.approx(value, abs=0.0051)


def test_it_is_used_by_keyboard_and_has_no_violation(opened: Open, page: tuple[str, Trace]) -> None:
    found = opened(page[0])
    shown = found.page
    shown.focus("[role=group][tabindex]")
    shown.keyboard.press("End")
    shown.wait_for_selector(f"#said:has-text('step {T - 1} (0–{T - 1}): c')", state="attached", timeout=5_000)
    shown.focus("button[data-name=f]")
    shown.keyboard.press("Enter")
    assert shown.get_attribute("button[data-name=f]", "aria-pressed") == "true"
    assert f"step {T - 1}" in shown.inner_text("[role=region]")
    assert shown.evaluate("document.activeElement.dataset.name") == "f"
    assert found.violations() == []
    assert found.said == []


def test_a_narrow_window_shows_fewer_steps(opened: Open, page: tuple[str, Trace]) -> None:
    shown = opened(page[0], viewport={"width": 320, "height": 700}).page
    assert shown.evaluate("document.documentElement.scrollWidth") <= 320
    assert len(shown.query_selector_all("svg text[data-name=f][data-step]")) == 8
