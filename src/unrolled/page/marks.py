"""What a chart is made of: lines, bands, bars and dots, each drawn into a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from unrolled.page.scales import Axis, written
from unrolled.page.svg import HALO, SERIES, colour, element, number, path
from unrolled.page.thinning import envelope, spaced, thinned

__all__ = ["FEW", "Band", "Bars", "Dots", "Frame", "Line", "Mark", "Style", "range_of"]

_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 2")
FEW = 24  # a line of so few points shows each of them; so few bars show their values
_LETTER = 6.6  # pixels of a digit at the size of 11
_SIZE = 3  # pixels from the middle of a marker to its edge


class Style(NamedTuple):
    """How one series is told from the others: by its colour, and by the dashes of its line or the shape of its dots."""

    turn: int

    @property
    def colour(self) -> str:
        """Its colour, as an attribute."""
        return colour(SERIES[self.turn % len(SERIES)])

    @property
    def dash(self) -> str:
        """Its dashes, as an attribute; empty for a line without gaps."""
        return _DASHES[self.turn % len(_DASHES)]


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle between the axes, in pixels."""

    x: Axis
    y: Axis
    left: float
    top: float
    width: float
    height: float

    def across(self, values: np.ndarray) -> np.ndarray:
        """Pixels from the left."""
        return self.left + self.width * self.x.places(values)

    def down(self, values: np.ndarray) -> np.ndarray:
        """Pixels from the top: numbers grow upwards, names are read downwards."""
        at = self.y.places(values)
        return self.top + self.height * (at if self.y.kind == "names" else 1 - at)


class Mark(Protocol):
    """One thing in a chart.

    Attributes:
        layer: marks of a low one are drawn first, so that they cover no other.
        counts: whether its style tells it from the marks beside it.
        room: pixels of its sample in the legend.
    """

    layer: ClassVar[int]
    counts: ClassVar[bool]
    room: ClassVar[int]

    @property
    def name(self) -> str:
        """What the legend calls it; empty for what stands in no legend."""

    @property
    def xs(self) -> np.ndarray:
        """The values that the x axis must reach."""

    @property
    def ys(self) -> np.ndarray:
        """The values that the y axis must reach."""

    def draw(self, frame: Frame, style: Style) -> str:
        """The mark as elements; empty if none of its values has a place."""

    def sample(self, x: float, y: float, style: Style) -> str:
        """What the legend shows of it, with its middle at (``x``, ``y``)."""

    def said(self) -> str:
        """What it shows, as a sentence; empty where other marks say it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; a gap where one has no value."""

    layer: ClassVar[int] = 3
    counts: ClassVar[bool] = True
    room: ClassVar[int] = 22

    name: str
    xs: np.ndarray
    ys: np.ndarray

    def draw(self, frame: Frame, style: Style) -> str:
        xs, ys = frame.across(self.xs), frame.down(self.ys)
        shown = thinned(xs, ys)
        drawn = _stroke(path(xs[shown], ys[shown]), style)
        return drawn if len(shown) > FEW else drawn + _markers(xs[shown], ys[shown], style)

    def sample(self, x: float, y: float, style: Style) -> str:
        drawn = _stroke(f"M{number(x - 10)} {number(y)}h20", style)
        return drawn if len(self.xs) > FEW else drawn + _markers(np.array([x]), np.array([y]), style)

    def said(self) -> str:
        return range_of(self.name, self.ys)


@dataclass(frozen=True, slots=True)
class Band:
    """The area between two lines; a gap where either has no value."""

    layer: ClassVar[int] = 1
    counts: ClassVar[bool] = True
    room: ClassVar[int] = 22

    name: str
    xs: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def ys(self) -> np.ndarray:
        """Both of its edges."""
        return np.concatenate([self.low, self.high])

    def draw(self, frame: Frame, style: Style) -> str:
        xs, low, high = frame.across(self.xs), frame.down(self.low), frame.down(self.high)
        known = np.isfinite(xs) & np.isfinite(low) & np.isfinite(high)
        edges = np.flatnonzero(np.diff(known, prepend=False, append=False)).reshape(-1, 2)
        pieces = (envelope(xs[start:end], high[start:end], low[start:end]) for start, end in edges)
        data = "".join(_around(*piece) for piece in pieces)
        return element("path", d=data, fill=style.colour, fill_opacity="0.2") if data else ""

    def sample(self, x: float, y: float, style: Style) -> str:
        return element("rect", x=x - 10, y=y - 5, width=20, height=10, fill=style.colour, fill_opacity="0.2")

    def said(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Dots:
    """Dots; ``spread`` is how far a line reaches on both sides of each: along x if ``sideways``, else along y."""

    layer: ClassVar[int] = 3
    counts: ClassVar[bool] = True
    room: ClassVar[int] = 12

    name: str
    xs: np.ndarray
    ys: np.ndarray
    spread: np.ndarray | None = None
    sideways: bool = False

    def draw(self, frame: Frame, style: Style) -> str:
        xs, ys = frame.across(self.xs), frame.down(self.ys)
        shown = spaced(xs, ys)
        lines = "" if self.spread is None else self._whiskers(frame, style, shown, self.spread)
        return lines + _markers(xs[shown], ys[shown], style)

    def _whiskers(self, frame: Frame, style: Style, shown: np.ndarray, spread: np.ndarray) -> str:
        wide = np.where(spread > 0, spread, np.nan)
        if self.sideways:
            ends = [frame.across(self.xs - wide), frame.across(self.xs + wide)]
        else:
            ends = [frame.down(self.ys - wide), frame.down(self.ys + wide)]
        middle = frame.down(self.ys) if self.sideways else frame.across(self.xs)
        lines = []
        for at in shown:
            along, across = np.array([end[at] for end in ends]), np.repeat(middle[at], 2)
            lines.append(path(along, across) if self.sideways else path(across, along))
        data = "".join(lines)
        return element("path", d=data, stroke=style.colour, stroke_width=1.5, **{"class": "whisker"}) if data else ""

    def sample(self, x: float, y: float, style: Style) -> str:
        return _markers(np.array([x]), np.array([y]), style)

    def said(self) -> str:
        return range_of(self.name, self.xs if self.sideways else self.ys)


@dataclass(slots=True)
class Bars:
    """Bars from zero: to the right if ``sideways``, else upwards; the ``turn``-th of ``count`` side by side."""

    layer: ClassVar[int] = 2
    counts: ClassVar[bool] = True
    room: ClassVar[int] = 12

    name: str
    xs: np.ndarray
    ys: np.ndarray
    sideways: bool = False
    turn: int = 0
    count: int = 1

    def draw(self, frame: Frame, style: Style) -> str:
        along, values = (self.ys, self.xs) if self.sideways else (self.xs, self.ys)
        across, up = (frame.down, frame.across) if self.sideways else (frame.across, frame.down)
        gaps = np.diff(np.unique(along[np.isfinite(along)]))
        share = 0.8 * (float(gaps.min()) if len(gaps) else 1.0) / self.count
        middle = along + share * (self.turn - (self.count - 1) / 2)
        sides = np.sort([across(middle - share / 2), across(middle + share / 2)], 0)
        ends = np.sort([up(np.zeros(len(values))), up(values)], 0)
        told = self._told(values, float((sides[1] - sides[0]).max(initial=0.0)) / 0.8)
        drawn = []
        for nth, (first, last, low, high) in enumerate(np.stack([*sides, *ends], 1).tolist()):
            if not np.isfinite(first + low + high):
                continue
            box = (low, first, high - low, last - first) if self.sideways else (first, low, last - first, high - low)
            x, y, width, height = box
            drawn.append(element("rect", x=x, y=y, width=width, height=height, fill=style.colour))
            if told:
                drawn.append(self._value(frame, told[nth], values[nth] >= 0, low, high, (first + last) / 2))
        return "".join(drawn)

    def _told(self, values: np.ndarray, room: float) -> list[str]:
        """The values as they stand at few bars, with as many digits as ``room`` pixels take; nothing where none fits.

        Args:
            values: one for each bar.
            room: from the middle of one upright bar to that of the next.
        """
        if len(values) * self.count > FEW:
            return []
        for digits in (4, 2):
            told = [written(float(f"{value:.{digits}g}")) for value in values.tolist()]
            if self.sideways or _LETTER * max(map(len, told), default=0) <= room:
                return told
        return []

    def _value(self, frame: Frame, text: str, above: bool, low: float, high: float, middle: float) -> str:
        if self.sideways:
            return element("text", text, x=high + 4, y=middle + 4, font_size=11, **HALO)
        # Beyond the end of the bar, and inside of the frame, where the words of the axes do not stand.
        at = max(low - 4, frame.top + 11) if above else min(high + 11, frame.top + frame.height - 3)
        return element("text", text, x=middle, y=at, font_size=11, text_anchor="middle", **HALO)

    def sample(self, x: float, y: float, style: Style) -> str:
        return element("rect", x=x - 5, y=y - 5, width=10, height=10, fill=style.colour)

    def said(self) -> str:
        return range_of(self.name, self.xs if self.sideways else self.ys)


def range_of(name: str, values: np.ndarray) -> str:
    """How many values there are, from where to where, and how many are missing, as a sentence.

    Example:
        >>> range_of("train", np.array([2.0, np.nan, 0.5]))
        'train: 2 values from 0.5 to 2, and 1 without a value.'
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return f"{name or 'values'}: none."
    missing = values.size - known.size
    tail = f", and {missing:,} without a value" if missing else ""
    many = "1 value" if known.size == 1 else f"{known.size:,} values"
    return f"{name or 'values'}: {many} from {written(known.min())} to {written(known.max())}{tail}."


def _around(xs: np.ndarray, high: np.ndarray, low: np.ndarray) -> str:
    if len(xs) == 1:  # one step is two pixels wide
        xs, low, high = np.array([xs[0] - 1, xs[0] + 1]), np.repeat(low, 2), np.repeat(high, 2)
    return path(np.concatenate([xs, xs[::-1]]), np.concatenate([low, high[::-1]])) + "Z"


def _stroke(data: str, style: Style) -> str:
    dash = {"stroke_dasharray": style.dash} if style.dash else {}
    ends = {"stroke_linecap": "round", "stroke_linejoin": "round"}
    return element("path", d=data, stroke=style.colour, fill="none", stroke_width=1.8, **ends, **dash) if data else ""


def _markers(xs: np.ndarray, ys: np.ndarray, style: Style) -> str:
    """A small shape at each point: a dot, square, triangle, diamond or cross, one for each series in turn."""
    size, tall = _SIZE, _SIZE + 1
    shape, look = (
        ("h0", {"stroke": style.colour, "stroke_width": 2 * size, "stroke_linecap": "round"}),
        (f"m-{size} -{size}h{2 * size}v{2 * size}h-{2 * size}z", {"fill": style.colour}),
        (f"m0 -{tall}l{tall} {2 * size}h-{2 * tall}z", {"fill": style.colour}),
        (f"m0 -{tall}l{tall} {tall}l-{tall} {tall}l-{tall} -{tall}z", {"fill": style.colour}),
        (f"m-{size} -{size}l{2 * size} {2 * size}m0 -{2 * size}l-{2 * size} {2 * size}", {"stroke": style.colour}),
    )[style.turn % len(SERIES)]
    places = zip(xs.tolist(), ys.tolist(), strict=True)
    data = "".join(f"M{number(x)} {number(y)}{shape}" for x, y in places if np.isfinite(x + y))
    return element("path", d=data, **look, **{"class": "points"}) if data else ""
