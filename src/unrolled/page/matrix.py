"""A matrix of numbers as shaded cells: confusions, attention, alignment, states over time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrolled.page.marks import Frame, Style, range_of
from unrolled.page.scales import written
from unrolled.page.svg import LETTER, colour, element, number

__all__ = ["Cells"]

_TINTS = 16  # shades on each side of zero
_READABLE = 0.5  # the deepest shade on which ink is read
_MOST_ROWS, _MOST_COLUMNS = 64, 160  # of cells that are drawn
_WRITTEN, _TALL = 400, 14.0  # the most cells with their numbers in them, and the pixels that a number needs
_SAMPLES = 5  # shades in the legend


@dataclass(frozen=True, slots=True)
class Cells:
    """A matrix of shades: red above zero and blue below; only one colour if no value is below zero."""

    layer: ClassVar[int] = 0
    counts: ClassVar[bool] = False
    room: ClassVar[int] = 60

    values: np.ndarray  # (rows, columns)
    reach: float | None = None

    @property
    def name(self) -> str:
        """The values of its shades, for the legend."""
        if not self.most:
            return ""
        missing = "" if np.isfinite(self.values).all() else ", ╱ no value"
        return f"{written(-self.most) if self.signed else 0} to {written(self.most)}{missing}"

    @property
    def xs(self) -> np.ndarray:
        """The edges of the first and the last of its columns."""
        return np.array([-0.5, self.values.shape[1] - 0.5])

    @property
    def ys(self) -> np.ndarray:
        """The edges of the first and the last of its rows."""
        return np.array([-0.5, self.values.shape[0] - 0.5])

    @property
    def most(self) -> float:
        """The absolute value with the deepest shade; 0 if there is none."""
        if self.reach is not None:
            return self.reach
        return float(np.abs(self.values[np.isfinite(self.values)]).max(initial=0.0))

    @property
    def signed(self) -> bool:
        """Whether a value is below zero."""
        return bool((self.values[np.isfinite(self.values)] < 0).any())

    @property
    def deepest(self) -> float:
        """The opacity of the deepest shade: less where numbers may be written on it."""
        return _READABLE if self.values.size <= _WRITTEN else 1.0

    def draw(self, frame: Frame, style: Style) -> str:
        values = _most_extreme(_most_extreme(self.values, 0, _MOST_ROWS), 1, _MOST_COLUMNS)
        known = np.isfinite(values)
        tints = np.where(known, np.round(_TINTS * np.clip(values / (self.most or 1.0), -1, 1)), 0.0)
        shades = [self._shade(tint / _TINTS, _runs(tints == tint)) for tint in sorted({*tints.flat} - {0.0})]
        tall, wide = frame.height / values.shape[0], frame.width / values.shape[1]
        place = f"translate({number(frame.left)} {number(frame.top)}) scale({wide:.5g} {tall:.5g})"
        boxes = element("g", "".join(shades), transform=place) if shades else ""
        xs, ys = frame.left + wide * np.arange(values.shape[1] + 1), frame.top + tall * np.arange(values.shape[0] + 1)
        return "".join([boxes, _struck(~known, xs, ys), *self._numbers(xs, ys)])

    def _shade(self, share: float, runs: str) -> str:
        """Boxes of the ``share`` of the deepest shade, from -1 to 1, as lines that are one cell wide."""
        ink = colour("low" if share < 0 else "high" if self.signed else "accent")
        return element("path", d=runs, stroke=ink, stroke_opacity=f"{abs(share) * self.deepest:.3g}")

    def _numbers(self, xs: np.ndarray, ys: np.ndarray) -> Iterator[str]:
        """The values in their cells, if there is room for all of them."""
        if self.values.size > _WRITTEN:
            return
        known = self.values[np.isfinite(self.values)]
        # Two digits of the larger values; of whole numbers all. Zero has neither shade nor number.
        step = 0.0 if (known == np.round(known)).all() else 10.0 ** (math.floor(math.log10(self.most / 2)) - 1)
        each = np.ndenumerate(self.values)
        texts = {place: written(value, step) for place, value in each if value and np.isfinite(value)}
        needed = LETTER * max(map(len, texts.values()), default=0) + 2
        if ys[1] - ys[0] < _TALL or xs[1] - xs[0] < needed:
            return
        for (row, column), text in texts.items():
            x, y = float(xs[column] + xs[column + 1]) / 2, float(ys[row] + ys[row + 1]) / 2 + 4
            yield element("text", text, x=x, y=y, font_size=11, text_anchor="middle")

    def sample(self, x: float, y: float, style: Style) -> str:
        shares = np.linspace(-1 if self.signed else 0, 1, _SAMPLES).tolist()
        left, wide = x - self.room / 2 + 2, (self.room - 4) / _SAMPLES
        place = f"translate({number(left)} {number(y - 5)}) scale({number(wide)} 10)"
        boxes = [self._shade(share, f"M{n} .5h1") for n, share in enumerate(shares)]
        return element("g", "".join(boxes), transform=place)

    def said(self) -> str:
        tall, wide = self.values.shape
        return f"{tall:,} rows and {wide:,} columns. {range_of('cells', self.values)}"


def _most_extreme(values: np.ndarray, axis: int, most: int) -> np.ndarray:
    """Values of which at most ``most`` lie along ``axis``: the most extreme of each block."""
    length = values.shape[axis]
    if length <= most:
        return values
    starts = np.linspace(0, length, most, endpoint=False).astype(np.int64)
    low, high = np.fmin.reduceat(values, starts, axis), np.fmax.reduceat(values, starts, axis)
    return np.where(-low > high, low, high)


def _runs(chosen: np.ndarray) -> str:
    """The path through cells, in their own units; neighbours in a row are one line."""
    found = []
    for row in np.flatnonzero(chosen.any(1)).tolist():
        edges = np.flatnonzero(np.diff(chosen[row], prepend=False, append=False))
        found += [f"M{start} {row}.5h{end - start}" for start, end in edges.reshape(-1, 2).tolist()]
    return "".join(found)


def _struck(missing: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> str:
    """Cells without a value: struck through, so that they are not taken for zero."""
    data = "".join(
        f"M{number(xs[column])} {number(ys[row + 1])}L{number(xs[column + 1])} {number(ys[row])}"
        for row, column in zip(*np.nonzero(missing), strict=True)
    )
    return element("path", d=data, stroke=colour("soft"), **{"class": "no-value"}) if data else ""
