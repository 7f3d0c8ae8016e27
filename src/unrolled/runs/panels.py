"""Panels of dots as an SVG picture: a panel for each quantity, and in each a line for every name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["Panel", "drawing"]

_PANEL, _GAP, _ROW, _TOP, _FOOT = 190, 26, 24, 78, 26  # pixels
_LETTER, _MOST = 6.3, 44  # pixels of a letter, and letters of a name
_INK, _PALE, _BEST, _DOT = "#222", "#666", "#0072b2", "#777"


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity.

    Attributes:
        title, better: what stands above it.
        values: name -> the value.
        whiskers: name -> how far a line reaches to either side of the value.
    """

    title: str
    better: str
    values: Mapping[str, float]
    whiskers: Mapping[str, float] = field(default_factory=dict)


def drawing(title: str, names: Sequence[str], panels: Sequence[Panel], marked: str) -> str:
    """The picture, as the text of a file; the dots of the name that is ``marked`` are blue.

    Example:
        >>> picture = drawing("two models", ["a", "b"], [Panel("accuracy", "", {"a": 0.5, "b": 0.6}, {"a": 0.1})], "b")
        >>> picture.count("<circle"), picture.count('class="whisker"')
        (2, 1)
    """
    return "\n".join(_lines(title, names, panels, marked)) + "\n"


def _lines(title: str, names: Sequence[str], panels: Sequence[Panel], marked: str) -> Iterator[str]:
    shown = [name if len(name) <= _MOST else f"…{name[1 - _MOST :]}" for name in names]
    left = 16 + _LETTER * max(map(len, shown))
    width = left + len(panels) * (_PANEL + _GAP)
    bottom = _TOP + _ROW * len(names)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {bottom + _FOOT}" role="img"'
    yield f'  font-family="system-ui, sans-serif" font-size="11" fill="{_INK}">'
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{width:.0f}" height="{bottom + _FOOT}" fill="#fff"/>'
    yield _text(8, 20, title, extra='font-size="13" font-weight="bold"')
    for number, (name, words) in enumerate(zip(names, shown, strict=True)):
        colour = _BEST if name == marked else _INK
        yield _text(8, _TOP + _ROW * number + 4, words, extra=f'fill="{colour}"')
    for number, panel in enumerate(panels):
        yield from _panel(panel, left + number * (_PANEL + _GAP), marked, bottom)
    yield "</svg>"


def _panel(panel: Panel, left: float, marked: str, bottom: float) -> Iterator[str]:
    yield _text(left, _TOP - 34, panel.title, extra='font-weight="bold"')
    yield _text(left, _TOP - 20, panel.better, extra=f'fill="{_PALE}" font-size="10"')
    yield f'<path d="M{left:.1f} {bottom - 10}H{left + _PANEL:.1f}" stroke="#bbb"/>'
    known = {name: value for name, value in panel.values.items() if math.isfinite(value)}
    spread = {name: panel.whiskers.get(name, 0.0) for name in known}
    low = min((known[name] - spread[name] for name in known), default=0.0)
    high = max((known[name] + spread[name] for name in known), default=1.0)
    wide = (high - low) or 1.0

    def x_of(value: float) -> float:
        return left + 6 + (_PANEL - 60) * ((value - low) / wide if high > low else 0.5)

    for number, name in enumerate(panel.values):
        if name not in known:
            continue
        y, value, colour = _TOP + _ROW * number, known[name], _BEST if name == marked else _DOT
        if spread[name]:
            ends = f"M{x_of(value - spread[name]):.1f} {y}H{x_of(value + spread[name]):.1f}"
            yield f'<path class="whisker" d="{ends}" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<circle cx="{x_of(value):.1f}" cy="{y}" r="4" fill="{colour}"/>'
        yield _text(left + _PANEL, y + 4, f"{value:.4g}", "end")
    for value, anchor in ((low, "start"), (high, "end")) if high > low else ():
        x = left + 6 if anchor == "start" else x_of(high)
        yield _text(x, bottom + 4, f"{value:.3g}", anchor, f'fill="{_PALE}" font-size="10"')


def _text(x: float, y: float, words: str, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escape(words)}</text>'
