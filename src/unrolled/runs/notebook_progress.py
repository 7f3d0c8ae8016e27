"""The progress of a training in a notebook: its lines, a bar and its curves, as HTML that is replaced in one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from unrolled.metrics.metric import in_order
from unrolled.page.chart import Chart
from unrolled.page.notebook import cell, sentences
from unrolled.page.svg import words

__all__ = ["NotebookProgress"]

_BETWEEN = 0.5  # seconds from one drawing to the next
_POSITION = ("kind", "step", "epoch", "seconds", "progress")


class NotebookProgress:
    """Shows lines, a bar and the curves of the losses.

    Args:
        show: what replaces the HTML of one place.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._lines: list[str] = []
        self._losses: list[tuple[int, float]] = []
        self._valid: dict[str, list[tuple[int, float]]] = {}
        self._bar, self._drawn = "", 0.0

    def say(self, line: str) -> None:
        """Add a line."""
        self._lines.append(line)
        self.draw()

    def step(self, event: dict[str, Any], text: str) -> None:
        """Receive a step or a validation, with the words beside the bar."""
        if event["kind"] == "step":
            self._losses.append((event["step"], event["loss"]))
        elif event["kind"] == "valid":
            measured = in_order({name: value for name, value in event.items() if name not in _POSITION})
            for name, value in list(measured.items())[:1]:
                self._valid.setdefault(name, []).append((event["step"], value))
        share = event["progress"]
        bar = "" if share is None else f'<progress value="{min(share, 1):.3f}" aria-label="training"></progress> '
        self._bar = f"<p>{bar}{words(text)}</p>"
        if time.monotonic() - self._drawn >= _BETWEEN:
            self.draw()

    def draw(self) -> None:
        """Show all of it as it is now."""
        self._drawn = time.monotonic()
        self._show(cell("training", sentences(self._lines), self._bar, self._curves()))

    def _curves(self) -> str:
        shown = []
        for name, points in {"loss": self._losses, **self._valid}.items():
            if len(points) > 1:
                title = name if name == "loss" else f"valid {name}"
                steps, values = zip(*points, strict=True)
                shown.append(Chart(title, x="step", height=90).line(steps, values).to_svg())
        return "".join(shown)
