"""A chart laid out: its heading, legend, axes and what is between them, in pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unrolled.page.marks import Band, Frame, Mark, Style
from unrolled.page.scales import Axis
from unrolled.page.svg import LETTER, colour, element, number, shortened, words

__all__ = ["HEIGHT", "Figure", "height_of_rows"]

HEIGHT = 190  # pixels between the axes, where the values do not ask for another height
_ROW, _LEAST, _MOST = 22, 44, 420  # pixels of a row of names; the least and the greatest height of rows together
_LINE, _RIGHT, _NAME = 18, 14, 150  # pixels of a line of text, right of the axes, of the longest name
_WIDE = 7.6  # pixels of a letter in a wide font: two names of a legend never touch
_ACROSS, _DOWN = 56, 36  # pixels from one tick to the next
_NAME_DOWN, _NAME_SLANTED, _SLANT = 12, 15, 35  # pixels from one name to the next; degrees of those without room

Ticks = list[tuple[float, str]]


def height_of_rows(count: int) -> float:
    """Pixels for ``count`` names below each other."""
    return float(min(max(count * _ROW, _LEAST), _MOST))


@dataclass(frozen=True, slots=True)
class Figure:
    """What a chart shows, with its axes.

    Attributes:
        title, about, x_words, y_words: see `unrolled.page.chart.Chart`.
        marks: what it shows.
        x, y: the axes.
        height: pixels between them.
    """

    title: str
    about: str
    x_words: str
    y_words: str
    marks: tuple[Mark, ...]
    x: Axis
    y: Axis
    height: float

    @property
    def margin(self) -> float:
        """Pixels that the names or numbers of the y axis need."""
        return min(_NAME, LETTER * _longest(self._y_ticks())) + 12

    def draw(self, left: float, top: float, wide: float, margin: float) -> tuple[str, float]:
        """The chart as elements, and its pixels from top to bottom.

        Args:
            left, top: where it begins.
            wide: its pixels from left to right.
            margin: those left of the y axis.
        """
        drawn = []
        down = top
        if self.title:
            drawn.append(element("text", words(shortened(self.title, wide)), x=left, y=down + 12, font_weight="bold"))
            down += _LINE
        legend, rows = self._legend(left, down, wide)
        down += _LINE * rows
        if self.y_words:
            drawn.append(
                element("text", words(shortened(self.y_words, wide)), x=left, y=down + 11, fill=colour("soft"))
            )
            down += _LINE
        frame = Frame(self.x, self.y, left + margin, down + 6, wide - margin - _RIGHT, self.height)
        below, foot = self._below(frame)
        drawn += [*legend, *self._beside(frame), *below, *self._between(frame)]
        return "".join(drawn), frame.top + self.height + foot - top

    def said(self) -> str:
        """What is to be seen, in sentences."""
        axes = [f"{axis}: {text}." for axis, text in (("x", self.x_words), ("y", self.y_words)) if text]
        lost = sum(
            int((np.isfinite(values) & np.isnan(axis.places(values))).sum())
            for mark in self.marks
            for axis, values in ((self.x, mark.xs), (self.y, mark.ys))
        )
        left_out = [f"{lost:,} not positive: these have no place on a logarithmic axis."] if lost else []
        return " ".join(filter(None, [self.about, *axes, *(mark.said() for mark in self.marks), *left_out]))

    def _styled(self) -> Iterator[tuple[Mark, Style]]:
        """The marks with their styles: equal names share one, and a band has that of the mark before it."""
        turns: dict[str, int] = {}
        turn = count = 0
        for mark in self.marks:
            if mark.counts and not isinstance(mark, Band):
                turn = turns.get(mark.name, count)
                count = max(count, turn + 1)
                if mark.name:
                    turns[mark.name] = turn
            yield mark, Style(turn)

    def _legend(self, left: float, top: float, wide: float) -> tuple[list[str], int]:
        """The legend as elements, and its rows."""
        drawn, seen, right, row = [], {""}, 0.0, 0
        for mark, style in self._styled():
            if mark.name in seen:
                continue
            seen.add(mark.name)
            text = shortened(mark.name, wide - mark.room)
            needs = mark.room + _WIDE * len(text) + 14
            if right and right + needs > wide:
                right, row = 0.0, row + 1
            y = top + _LINE * row + 8
            drawn.append(mark.sample(left + right + mark.room / 2, y, style))
            drawn.append(element("text", words(text), x=left + right + mark.room + 5, y=y + 4))
            right += needs
        return drawn, row + 1 if drawn else 0

    def _y_ticks(self) -> Ticks:
        return self.y.ticks(int(self.height / (_NAME_DOWN if self.y.kind == "names" else _DOWN)))

    def _beside(self, frame: Frame) -> Iterator[str]:
        """What is written left of the axis, and lines across where there are numbers."""
        lines, texts = [], []
        names = self.y.kind == "names"
        for place, text in self._y_ticks():
            y = frame.top + frame.height * (place if names else 1 - place)
            if not names:
                lines.append(f"M{number(frame.left)} {number(y)}h{number(frame.width)}")
            texts.append(element("text", words(shortened(text, _NAME)), x=frame.left - 6, y=y + 4))
        yield _grid(lines)
        yield element("g", "".join(texts), text_anchor="end", font_size=11, fill=colour("soft" if not names else "ink"))

    def _below(self, frame: Frame) -> tuple[list[str], float]:
        """What is written under the chart, and its pixels from top to bottom."""
        ticks, slanted = self._x_ticks(frame.width)
        bottom = frame.top + frame.height
        lines, texts = [], []
        for place, text in ticks:
            x = frame.left + frame.width * place
            if self.x.kind != "names":
                alone = self.y.kind == "names"  # then no other lines say where a value stands
                lines.append(f"M{number(x)} {number(frame.top if alone else bottom)}V{number(bottom + 4)}")
            shown = shortened(text, _NAME)
            at: dict[str, float | str] = {"x": x, "y": bottom + 17}
            if slanted:
                at |= {"text_anchor": "end", "transform": f"rotate(-{_SLANT} {number(x)} {number(bottom + 12)})"}
                at["y"] = bottom + 15
            elif x + LETTER * len(shown) / 2 > frame.left + frame.width + _RIGHT:
                at |= {"x": frame.left + frame.width + _RIGHT, "text_anchor": "end"}
            texts.append(element("text", words(shown), **at))
        drawn = [_grid(lines), element("g", "".join(texts), text_anchor="middle", font_size=11, fill=colour("soft"))]
        foot = 22.0
        if slanted:
            foot += min(_NAME, LETTER * _longest(ticks)) * math.sin(math.radians(_SLANT))
        if self.x_words:
            text, x = words(shortened(self.x_words, frame.width)), frame.left + frame.width / 2
            drawn.append(element("text", text, x=x, y=bottom + foot + 11, text_anchor="middle", fill=colour("soft")))
            foot += _LINE
        return drawn, foot

    def _x_ticks(self, wide: float) -> tuple[Ticks, bool]:
        """The ticks of the x axis, and whether their names are slanted for want of room."""
        if self.x.kind != "names":
            return self.x.ticks(int(wide / _ACROSS)), False
        longest = LETTER * max(map(len, self.x.names), default=0)
        if all(name.isdecimal() for name in self.x.names):
            return self.x.ticks(int(wide / (longest + 12))), False
        slanted = longest + 6 > wide / max(1, len(self.x.names))
        return self.x.ticks(int(wide / _NAME_SLANTED)), slanted

    def _between(self, frame: Frame) -> Iterator[str]:
        """The marks, those that cover others first."""
        marks = sorted(self._styled(), key=lambda pair: pair[0].layer)
        drawn = [(mark, mark.draw(frame, style)) for mark, style in marks]
        if not any(content for _, content in drawn):
            middle = {"x": frame.left + frame.width / 2, "y": frame.top + frame.height / 2}
            yield element("text", "no values", **middle, text_anchor="middle", fill=colour("soft"))
        for mark, content in drawn:
            if content:
                yield element("g", content, **{"class": type(mark).__name__.lower()})


def _grid(lines: Sequence[str]) -> str:
    return element("path", d="".join(lines), stroke=colour("faint"), fill="none") if lines else ""


def _longest(ticks: Ticks) -> int:
    return max((len(text) for _, text in ticks), default=0)
