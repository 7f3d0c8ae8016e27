"""Charts as SVG: lines, bands, bars, dots, matrices, with axes and a legend, one or several in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np

from unrolled.errors import UsageError
from unrolled.page.annotations import Label, Rule
from unrolled.page.figure import HEIGHT, Figure, height_of_rows
from unrolled.page.marks import Band, Bars, Dots, Line, Mark
from unrolled.page.matrix import Cells
from unrolled.page.scales import Axis, Kind, axis_over, kind_of, numbers
from unrolled.page.svg import element, image, shortened, words

__all__ = ["Chart", "picture"]

Where = Literal["x", "y"]

WIDTH, _GAP, _TITLE, _MARGIN = 420, 18, 26, 8  # pixels: of a chart, between two, of a title, around all
_BESIDE = 1.15  # of the length of a bar that lies: its number stands beside it
_ROOM = {"x": 0.02, "y": 0.05}  # the share of an axis that is free beyond the values


class Chart:
    """A chart to which marks are added one by one, each with the values that it shows.

    Values are numbers, dates or names: an axis follows from what it is given. NaN, infinity and ``None`` are no values:
    a line has a gap there, a cell is struck through, and the description says how many there are. Long series are
    thinned to what can be seen, so a picture has a few thousand numbers at most.

    Args:
        title: what stands above it.
        x, y: the words beside the axes.
        x_log, y_log: whether equal distances are equal ratios; what is not positive then has no place.
        x_range, y_range: values that the axis includes in any case, such as (0, 1) for a probability.
        about: a sentence for those who cannot see the picture, before the one that is made of its values.
        height: pixels between the axes; by default it follows from what is shown.

    Example:
        >>> chart = Chart("Learning", x="step", y="loss").line([0, 10, 20], [2.0, 1.0, 0.5], "train")
        >>> chart.line([0, 20], [2.1, 0.9], "valid").mark(10, "best").to_svg().startswith("<svg")
        True
    """

    def __init__(
        self,
        title: str = "",
        *,
        x: str = "",
        y: str = "",
        x_log: bool = False,
        y_log: bool = False,
        x_range: Sequence[float] = (),
        y_range: Sequence[float] = (),
        about: str = "",
        height: float | None = None,
    ) -> None:
        self.title, self.about, self._height = title, about, height
        self._words: dict[Where, str] = {"x": x, "y": y}
        self._kinds: dict[Where, Any] = {"x": "log" if x_log else None, "y": "log" if y_log else None}
        self._reach: dict[Where, list[float]] = {"x": [*x_range], "y": [*y_range]}
        self._names: dict[Where, list[str]] = {"x": [], "y": []}
        self._wide: dict[Where, list[np.ndarray]] = {"x": [], "y": []}
        self._marks: list[Mark] = []

    def line(self, xs: Any, ys: Any, name: str = "") -> Self:
        """A line through points, in the given order."""
        return self._add(Line(name, *self._points(xs, ys)))

    def band(self, xs: Any, low: Any, high: Any, name: str = "") -> Self:
        """The area between ``low`` and ``high``, in the colour of the mark before it if it has no name."""
        at, least = self._points(xs, low)
        return self._add(Band(name, at, least, self._points(xs, high)[1]))

    def dots(self, xs: Any, ys: Any, name: str = "", *, spread: Any = None) -> Self:
        """A dot for each point; ``spread`` is how far a line reaches to both of its sides."""
        points = self._points(xs, ys)
        sideways = self._kinds["y"] == "names"
        if spread is None:
            return self._add(Dots(name, *points, sideways=sideways))
        wide = numbers(spread)
        middle = points[0 if sideways else 1]
        self._wide["x" if sideways else "y"] += [middle - wide, middle + wide]
        return self._add(Dots(name, *points, wide, sideways=sideways))

    def bars(self, xs: Any, ys: Any, name: str = "") -> Self:
        """A bar for each value of ``ys`` over ``xs``; if ``ys`` are names, the values are ``xs`` and bars lie."""
        points = self._points(xs, ys)
        sideways = self._kinds["y"] == "names"
        self._reach["x" if sideways else "y"].append(0.0)
        if sideways:
            self._wide["x"].append(_BESIDE * points[0])
        elif self._kinds["x"] != "names" and len(points[0]):
            apart = np.diff(np.unique(points[0])).min(initial=np.inf)
            half = apart / 2 if np.isfinite(apart) else 0.5
            self._reach["x"] += [points[0].min() - half, points[0].max() + half]
        return self._add(Bars(name, *points, sideways=sideways))

    def cells(
        self, values: Any, *, rows: Sequence[str] = (), columns: Sequence[str] = (), most: float | None = None
    ) -> Self:
        """A matrix, its first row on top.

        Args:
            values: (rows, columns).
            rows, columns: their names; numbers from 0 where there are none.
            most: the absolute value of the deepest shade, such as 1 for a probability; the largest by default.
        """
        matrix = numbers(np.asarray(values, np.float64))
        for axis, names, count in (("y", rows, matrix.shape[0]), ("x", columns, matrix.shape[1])):
            where: Where = "y" if axis == "y" else "x"
            self._kinds[where], self._names[where] = "names", [*names] or [str(n) for n in range(count)]
        return self._add(Cells(matrix, most))

    def mark(self, at: Any, name: str = "", *, on: Where = "x") -> Self:
        """A dashed line through the chart at a value of x or y, with a few words beside it."""
        return self._add(Rule(float(self._values(on, [at])[0]), name, on))

    def label(self, x: Any, y: Any, text: str, *, rise: float = 5) -> Self:
        """Words beside a point, ``rise`` pixels above it."""
        return self._add(Label(*self._points([x], [y]), text, rise))

    def to_svg(self) -> str:
        """The chart as an element ``<svg>`` for a page or a notebook; `unrolled.page.svg.as_file` makes it a file."""
        return picture([self])

    def _repr_html_(self) -> str:
        return self.to_svg()

    def figure(self) -> Figure:
        """The chart with its axes, ready to be drawn."""
        x, y = self._axis("x"), self._axis("y")
        bars = [mark for mark in self._marks if isinstance(mark, Bars)]
        for turn, mark in enumerate(bars):
            mark.turn, mark.count = turn, len(bars)
        tall = self._height or (height_of_rows(len(y.names)) if y.kind == "names" else HEIGHT)
        return Figure(self.title, self.about, self._words["x"], self._words["y"], tuple(self._marks), x, y, tall)

    def _axis(self, where: Where) -> Axis:
        of_marks = [mark.xs if where == "x" else mark.ys for mark in self._marks]
        values = np.concatenate([np.zeros(0), *of_marks, *self._wide[where]])
        kind: Kind = self._kinds[where] or "linear"
        return axis_over(kind, values, self._reach[where], self._names[where], _ROOM[where])

    def _add(self, mark: Mark) -> Self:
        self._marks.append(mark)
        return self

    def _points(self, xs: Any, ys: Any) -> tuple[np.ndarray, np.ndarray]:
        points = self._values("x", xs), self._values("y", ys)
        if len(points[0]) != len(points[1]):
            raise UsageError(f"a mark has {len(points[0])} values of x and {len(points[1])} of y; give as many of both")
        return points

    def _values(self, where: Where, values: Any) -> np.ndarray:
        """Numbers of ``values`` on an axis, which is of their kind from now on; a name's number is its place."""
        kind = kind_of(values)
        self._kinds[where] = self._kinds[where] or kind
        if kind != "names":
            return numbers(values)
        names = self._names[where]
        names.extend(name for name in dict.fromkeys(values) if name not in names)
        return np.array([names.index(name) for name in values], np.float64)


def picture(charts: Sequence[Chart], title: str = "", *, columns: int = 1) -> str:
    """Several charts as one element ``<svg>``, row by row; it scales with the page around it.

    Args:
        charts: what it shows, at least one.
        title: what stands above them all.
        columns: how many stand side by side; more than one is too small for a telephone.
    """
    figures = [chart.figure() for chart in charts]
    rows = [figures[start : start + columns] for start in range(0, len(figures), columns)]
    wide = 2 * _MARGIN + columns * WIDTH + (columns - 1) * _GAP
    margin = max(figure.margin for figure in figures)
    down = _MARGIN + (_TITLE if title else 0.0)
    drawn = []
    if title:
        drawn.append(element("text", words(shortened(title, wide)), x=_MARGIN, y=20, font_size=14, font_weight="bold"))
    for row in rows:
        parts = [figure.draw(_MARGIN + n * (WIDTH + _GAP), down, WIDTH, margin) for n, figure in enumerate(row)]
        drawn += [content for content, _ in parts]
        down += max(tall for _, tall in parts) + _GAP
    said = title or charts[0].title or "chart"
    return image(wide, down - _GAP + _MARGIN, said, " ".join(figure.said() for figure in figures), "".join(drawn))
