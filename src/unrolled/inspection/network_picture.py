"""A network unrolled through time as SVG: time goes right, data goes up, boxes in a row share their weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from unrolled.inspection.drawing import POOLS, Answers, few
from unrolled.models._sketch import Sketch, Stack
from unrolled.page.svg import colour, element, image, number, words

__all__ = ["network_picture"]

_BOX, _LANE, _UP, _ALONG = 26.0, 22.0, 22.0, 34.0  # pixels: of a box, of a second direction in it, between boxes
_EDGE, _STATE, _DOTS = 10.0, 52.0, 16.0  # around the picture, beside the boxes for states, of what is left out
_LABEL, _NOTE, _LETTER, _SMALL = 18.0, 16.0, 7.4, 5.9  # of a row of labels, of a note; of their letters
_HEAD = 4.0  # of an arrow
_INDEX = re.compile(r"([a-z](?:&#x27;)?)_(\w+(?:[+-]\d+)?)")  # in escaped text


def network_picture(sketch: Sketch, answers: Answers, horizon: int, title: str) -> str:
    """Draw a model as SVG.

    Args:
        sketch: the layers of the model.
        answers, horizon: as for `unrolled.inspection.drawing.draw`.
        title: what it is called for those who do not see it.

    Example:
        >>> network_picture(Sketch(Stack(("gru",))), "step", 0, "a GRU").count('class="layer"')
        3
    """
    reads = few(sketch.reads)
    boxes = [*reads.boxes, *(few(sketch.writes).boxes if sketch.writes else ()), "head"]
    canvas = _Canvas(max(64.0, _LETTER * max(map(len, boxes)) + 18))
    if sketch.writes is not None:
        _pair(canvas, sketch, reads, few(sketch.writes))
    elif sketch.timed:
        canvas.labels(["x_1", "x_2", "x_T"])
        canvas.layers(reads)
        canvas.answer(answers, sketch.pool or "last", horizon, both=reads.both)
    else:
        canvas.chain(["x", *reads.boxes, "head", "y"])
    for name in sketch.sides:
        canvas.notes.append(f"{name} is read to one vector first; every step receives it.")
    if sketch.timed:
        canvas.notes.append("The boxes of a row are one layer at several steps: they share their weights.")
    return canvas.image(title)


def _pair(canvas: _Canvas, sketch: Sketch, reads: Stack, writes: Stack) -> None:
    """An encoder, below, and a decoder, above, with what passes between them."""
    attends = sketch.attention != "none"
    if sketch.timed:
        canvas.labels(["x_1", "x_2", "x_S"])
        canvas.layers(reads)
        canvas.arrows()
        canvas.labels(["m_1", "m_2", "m_S"])
        canvas.arrows()
    else:
        canvas.arrow_at(canvas.chain(["x", *reads.boxes, "m"]))
    what = (
        f"attention ({sketch.attention}): each step attends to all m" if attends else "the whole input, as one vector"
    )
    canvas.wide(what, "bridge")
    canvas.fed(["<begin>", "y_1", "y_U-1"])
    canvas.layers(writes, fed=True)
    canvas.arrows()
    canvas.row(["head"] * 3, "head")
    canvas.arrows()
    canvas.labels(["y_1", "y_2", "y_U"])
    if attends:
        canvas.notes.append("Each step above receives the whole input as one vector too.")


@dataclass(slots=True)
class _Canvas:
    """What is drawn, from the bottom up.

    Attributes:
        box: pixels of a box from left to right.
        up: pixels from the bottom to what is drawn next.
        parts: the elements so far; they count pixels upwards as negative numbers.
        notes: sentences that stand below.
        right: how far the elements reach.
    """

    box: float
    up: float = 0.0
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    right: float = 0.0

    @property
    def columns(self) -> tuple[float, float, float]:
        """The middles of the boxes at the first, the second and the last step."""
        first, pitch = _EDGE + _STATE + self.box / 2, self.box + _ALONG
        return first, first + pitch, first + 2 * pitch + _ALONG + _DOTS

    @property
    def dots(self) -> float:
        """The middle of what is left out, before the last step."""
        return (self.columns[1] + self.columns[2]) / 2

    def image(self, title: str) -> str:
        """All of it as one element."""
        top, notes = self.up + _EDGE, _NOTE * len(self.notes) + _EDGE
        wide = max([self.right + _EDGE, *(_SMALL * len(note) + 2 * _EDGE for note in self.notes)])
        said = [
            element("text", words(note), x=_EDGE, y=top + _NOTE * (n + 1), font_size=11, fill=colour("soft"))
            for n, note in enumerate(self.notes)
        ]
        drawn = element("g", "".join(self.parts), transform=f"translate(0 {number(top)})", text_anchor="middle")
        return image(wide, top + notes, title, " ".join(self.notes), drawn + "".join(said))

    def labels(self, texts: Sequence[str]) -> None:
        """Names of values, one at each step."""
        for x, text in zip(self.columns, texts, strict=True):
            self.text(x, self.up + 5, text)
        self.up += _LABEL

    def arrows(self) -> None:
        """An arrow up at each step."""
        self.arrow_at(*self.columns)

    def arrow_at(self, *places: float) -> None:
        """An arrow up at each of some places."""
        for x in places:
            self.arrow((x, self.up), (x, self.up + _UP), "up")
        self.up += _UP

    def fed(self, texts: Sequence[str]) -> None:
        """At each step, an arrow from below and beside it one from a name: the two inputs of a step that writes."""
        beside = self.box / 4
        for x, text in zip(self.columns, texts, strict=True):
            self.text(x - beside, self.up + 5, text)
            self.arrow((x - beside, self.up + _LABEL), (x - beside, self.up + _LABEL + _UP), "up")
            self.arrow((x + beside, self.up), (x + beside, self.up + _LABEL + _UP), "up")
        self.up += _LABEL + _UP

    def row(self, names: Sequence[str], kind: str, tall: float = _BOX) -> None:
        """A box at each step."""
        for x, name in zip(self.columns, names, strict=True):
            self.rectangle(x, name, kind, self.box, tall)
        self.text(self.dots, self.up + tall / 2 - 4, "⋯")
        self.up += tall

    def layers(self, stack: Stack, *, fed: bool = False) -> None:
        """Layers above each other, each with what a step passes to the next or to the one before.

        Args:
            stack: the layers.
            fed: the arrows into the lowest are there already.
        """
        for place, name in enumerate(stack.boxes):
            if place or not fed:
                self.arrows()
            tall = _BOX + (_LANE if stack.both else 0)
            lane = self.up + (_BOX / 2 if stack.both else tall / 2)
            if stack.whole:
                self._passed(lane, "each")
            elif stack.remembers:
                self._passed(lane, "on")
            if stack.both:
                self._passed(lane + _LANE, "back")
            self.row([name] * 3, "layer", tall)
        if stack.whole:
            self.notes.append("Each step sees all others at once.")

    def _passed(self, lane: float, how: str) -> None:
        """Arrows along time at a height: ``on``, ``back``, or both at ``each`` pair of neighbours."""
        half, (first, second, last) = self.box / 2, self.columns
        spans = [
            (first + half, second - half),
            (second + half, self.dots - _DOTS / 2),
            (self.dots + _DOTS / 2, last - half),
        ]
        if how == "on":
            spans = [(first - half - _ALONG + 6, first - half), *spans, (last + half, last + half + _ALONG - 6)]
            self.text(first - half - _ALONG - 6, lane - 4, "h_0")
            self.text(last + half + _ALONG + 6, lane - 4, "h_T")
        elif how == "back":
            spans.append((last + half, last + half + _ALONG - 6))
            self.text(last + half + _ALONG + 12, lane - 4, "h'_T+1")
        for start, end in spans:
            if how != "back":
                self.arrow((start, lane), (end, lane), "time")
            if how != "on":
                self.arrow((end, lane), (start, lane), "time back")

    def answer(self, answers: Answers, pool: str, horizon: int, *, both: bool) -> None:
        """Everything above the layers that read."""
        if answers != "row":
            self.arrows()
            self.row(["head"] * 3, "head")
            self.arrows()
            self.labels(["x_2", "x_3", "x_T+1"] if answers == "next" else ["y_1", "y_2", "y_T"])
            return
        at = self.columns[2]
        if pool != "last" or both:
            self.arrows()
            self.wide(POOLS[pool], "pool")
            at = (self.columns[0] + self.columns[2]) / 2
        self.arrow_at(at)
        self.rectangle(at, "head", "head", self.box, _BOX)
        self.up += _BOX
        self.arrow_at(at)
        self.text(at, self.up + 5, f"x_T+1 … x_T+{horizon}" if horizon > 1 else "x_T+1" if horizon else "y")
        self.up += _LABEL

    def wide(self, text: str, kind: str) -> None:
        """A box over all steps."""
        first, _, last = self.columns
        self.rectangle((first + last) / 2, text, kind, last - first + self.box, _BOX)
        self.up += _BOX

    def chain(self, names: Sequence[str]) -> float:
        """A network without steps, from left to right: its input, its boxes, its answer; gives where that stands."""
        first, *boxes, last = names
        lane, x = self.up + _BOX / 2, 2 * _EDGE
        self.text(x, lane - 4, first)
        x += _EDGE
        for name in boxes:
            self.arrow((x, lane), (x + _ALONG, lane), "on")
            self.rectangle(x + _ALONG + self.box / 2, name, "head" if name == "head" else "layer", self.box, _BOX)
            x += _ALONG + self.box
        self.arrow((x, lane), (x + _ALONG, lane), "on")
        self.text(x + _ALONG + _EDGE, lane - 4, last)
        self.up += _BOX
        return x + _ALONG + _EDGE

    def rectangle(self, x: float, text: str, kind: str, wide: float, tall: float) -> None:
        """A box whose lower edge is where the drawing stands."""
        ink = colour("accent" if kind == "layer" else "soft")
        look: dict[str, float | str] = {"fill": ink, "fill_opacity": "0.12", "stroke": ink, "rx": 4, "class": kind}
        self.parts.append(element("rect", x=x - wide / 2, y=-self.up - tall, width=wide, height=tall, **look))
        self.text(x, self.up + tall / 2 - 4, text)
        self.right = max(self.right, x + wide / 2)

    def text(self, x: float, y: float, text: str) -> None:
        """Words in the middle of a place; what follows ``_`` is an index."""
        shown = _INDEX.sub(r'\1<tspan dy="3" font-size="9">\2</tspan><tspan dy="-3">&#8203;</tspan>', words(text))
        self.parts.append(element("text", shown, x=x, y=-y))
        self.right = max(self.right, x + _LETTER * len(text) / 2)

    def arrow(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """A line with a head, both in pixels upwards."""
        (x0, y0), (x1, y1) = start, end
        back = _HEAD if x1 + y1 > x0 + y0 else -_HEAD
        ends = (x1 - back, y1) if y0 == y1 else (x1, y1 - back)
        sides = [(ends[0], ends[1] + s) if y0 == y1 else (ends[0] + s, ends[1]) for s in (-_HEAD * 0.75, _HEAD * 0.75)]
        points = "L".join(f"{number(x)} {number(-y)}" for x, y in (sides[0], (x1, y1), sides[1]))
        data = f"M{number(x0)} {number(-y0)}L{number(x1)} {number(-y1)}M{points}"
        self.parts.append(element("path", d=data, stroke=colour("soft"), fill="none", **{"class": kind}))
