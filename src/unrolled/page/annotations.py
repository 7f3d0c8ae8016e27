"""What is written into a chart: a line at a value that matters, and words beside a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from unrolled.page.marks import Frame, Style
from unrolled.page.svg import HALO, colour, element, number, words

__all__ = ["Label", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line right through the chart at a value of one axis, with words beside it."""

    layer: ClassVar[int] = 4
    counts: ClassVar[bool] = False
    room: ClassVar[int] = 0
    name: ClassVar[str] = ""

    at: float
    words: str
    on: Literal["x", "y"]

    @property
    def xs(self) -> np.ndarray:
        """Its value, if that is one of x."""
        return np.array([self.at] if self.on == "x" else [])

    @property
    def ys(self) -> np.ndarray:
        """Its value, if that is one of y."""
        return np.array([self.at] if self.on == "y" else [])

    def draw(self, frame: Frame, style: Style) -> str:
        value = np.array([self.at])
        place = float((frame.across if self.on == "x" else frame.down)(value)[0])
        if not np.isfinite(place):
            return ""
        if self.on == "x":
            line = f"M{number(place)} {number(frame.top)}v{number(frame.height)}"
            beside = _beside(frame, place, frame.top + 11)
        else:
            line = f"M{number(frame.left)} {number(place)}h{number(frame.width)}"
            beside = {"x": frame.left + frame.width - 2, "y": place - 4, "text_anchor": "end"}
        drawn = element("path", d=line, stroke=colour("soft"), stroke_dasharray="4 3")
        return drawn + element("text", words(self.words), **beside, font_size=11, fill=colour("soft"), **HALO)

    def sample(self, x: float, y: float, style: Style) -> str:
        return ""

    def said(self) -> str:
        return f"A line marks {self.words}." if self.words else ""


@dataclass(frozen=True, slots=True)
class Label:
    """Words beside a point, ``rise`` pixels above it."""

    layer: ClassVar[int] = 4
    counts: ClassVar[bool] = False
    room: ClassVar[int] = 0
    name: ClassVar[str] = ""

    xs: np.ndarray
    ys: np.ndarray
    words: str
    rise: float = 5

    def draw(self, frame: Frame, style: Style) -> str:
        x, y = float(frame.across(self.xs)[0]), float(frame.down(self.ys)[0])
        if not np.isfinite(x + y):
            return ""
        return element("text", words(self.words), **_beside(frame, x, y - self.rise), font_size=11, **HALO)

    def sample(self, x: float, y: float, style: Style) -> str:
        return ""

    def said(self) -> str:
        return f"A label says {self.words}."


def _beside(frame: Frame, x: float, y: float) -> dict[str, float | str]:
    """Where words beside a point stand: on the side with more room."""
    late = x > frame.left + frame.width / 2
    return {"x": x - 5 if late else x + 5, "y": y, "text_anchor": "end" if late else "start"}
