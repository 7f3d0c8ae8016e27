"""Draw a network unrolled through time as text: time goes right, data goes up, equal boxes share their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from unrolled.models._sketch import Sketch, Stack

__all__ = ["POOLS", "Answers", "draw", "few"]

Answers = Literal["row", "step", "next"]
_MOST_LAYERS = 3  # the most layers that are drawn one by one
_NOTHING, _ON, _BACK, _EACH = "   ", " → ", " ← ", " ↔ "  # what is drawn between two steps
_FIRST = "h_0"
POOLS = {"last": "the last step of each direction", "mean": "mean over the steps", "max": "maximum over the steps"}
"""How steps become one answer -> what a drawing says."""


def draw(sketch: Sketch, answers: Answers = "step", horizon: int = 0) -> str:
    """Draw a model as text, without a final line break.

    Args:
        sketch: the layers of the model.
        answers: one output per ``row``, one per ``step``, or the ``next`` step at each step.
        horizon: the number of future steps that a row forecasts; 0 if it is not a forecast.

    Example:
        >>> print(draw(Sketch(Stack(("gru",)))))
                y_1        y_2            y_T
                 ↑          ↑              ↑
              [ head ]   [ head ]   ⋯   [ head ]
                 ↑          ↑              ↑
        h_0 → [ gru  ] → [ gru  ] → ⋯ → [ gru  ] → h_T
                 ↑          ↑              ↑
                x_1        x_2            x_T
    """
    if sketch.sides:
        listed = ", ".join(sketch.sides)
        each = "is" if len(sketch.sides) == 1 else "are each"
        head = ", and so does the head" if sketch.pool and sketch.writes is None else ""
        beside = f"  {listed} {each} read to one vector first; every step receives it{head}"
        return f"{draw(replace(sketch, sides=()), answers, horizon)}\n\n{beside}"
    if sketch.writes is not None:
        return _draw_pair(sketch, sketch.writes)
    if not sketch.timed:
        return _draw_row([*sketch.reads.boxes, "head"], "y")
    reads = few(sketch.reads)
    width = max(len(name) for name in [*reads.boxes, "head"])
    above = _answer_rows(answers, sketch.pool or "last", horizon, width, reads.both)
    return "\n".join([*above, *_layers(reads, width), _labels(["x_1", "x_2", "x_T"], width)])


def _draw_pair(sketch: Sketch, writes: Stack) -> str:
    """Draw an encoder, below, and a decoder, above."""
    reads, writes = few(sketch.reads), few(writes)
    width = max(len(name) for name in [*reads.boxes, *writes.boxes, "head"])
    looks = "receives the whole input as one vector only"
    if sketch.attention != "none":
        looks = f"attends to all m (attention: {sketch.attention}) and receives the whole input as one vector"
    above = [
        _labels(["y_1", "y_2", "y_U"], width),
        _arrows(width),
        _row([f"[ {'head':^{width}} ]"] * 3),
        _arrows(width),
        *_layers(writes, width),
        _labels(["<begin>", "y_1", "y_U-1"], width),
    ]
    below = [_draw_row(reads.boxes, "m")]
    if sketch.timed:
        inputs = _labels(["x_1", "x_2", "x_S"], width)
        below = [_labels(["m_1", "m_2", "m_S"], width), _arrows(width), *_layers(reads, width), inputs]
    return "\n".join([*above, "", f"  each step above {looks}", "", *below])


def _draw_row(boxes: Sequence[str], answer: str) -> str:
    """Draw a network without steps from left to right."""
    return " → ".join(["x", *(f"[ {box} ]" for box in boxes), answer])


def few(stack: Stack) -> Stack:
    """``stack``, or one box for all of its layers if there are too many to draw."""
    count = len(stack.boxes)
    return replace(stack, boxes=(f"{count} × {stack.boxes[-1]}",)) if count > _MOST_LAYERS else stack


def _layers(stack: Stack, width: int) -> list[str]:
    """The layers from top to bottom, each with the arrows into it."""
    rows = []
    for name in reversed(stack.boxes):
        box = f"[ {name:^{width}} ]"
        if stack.both:
            rows.append(_row([box] * 3, _BACK, after=f"{_BACK}h'_T+1"))
        if stack.remembers and not stack.whole:
            rows.append(_row([box] * 3, _ON, before=_FIRST + _ON, after=f"{_ON}h_T"))
        else:
            rows.append(_row([box] * 3, _EACH if stack.whole else _NOTHING))
        rows.append(_arrows(width))
    return rows


def _answer_rows(answers: Answers, pool: str, horizon: int, width: int, both: bool) -> list[str]:
    """Everything above the layers, from top to bottom."""
    head = f"[ {'head':^{width}} ]"
    answer = f"x_T+1 … x_T+{horizon}" if horizon > 1 else "x_T+1" if horizon else "y"
    if answers == "row" and pool == "last" and not both:
        boxes = [["", "", text] for text in (_centre(answer, width), _centre("↑", width), head, _centre("↑", width))]
        return [_row([cell or " " * (width + 4) for cell in row], dots=" ") for row in boxes]
    if answers == "row":
        inside = len(_row([head] * 3).strip()) - 4
        wide = [
            " " * len(_FIRST + _ON) + text for text in (answer, "↑", "[ head ]", "↑", f"[ {POOLS[pool]:^{inside}} ]")
        ]
        middle = len(_FIRST + _ON) + (inside + 4) // 2
        centred = [" " * (middle - len(text.strip()) // 2) + text.strip() for text in wide[:-1]]
        return [*centred, wide[-1], _arrows(width)]
    labels = ["x_2", "x_3", "x_T+1"] if answers == "next" else ["y_1", "y_2", "y_T"]
    return [_labels(labels, width), _arrows(width), _row([head] * 3), _arrows(width)]


def _row(cells: list[str], between: str = _NOTHING, *, before: str = "", after: str = "", dots: str = "⋯") -> str:
    first, second, last = cells
    start = " " * (len(_FIRST + _ON) - len(before)) + before
    return (start + between.join([first, second, dots, last]) + after).rstrip()


def _labels(texts: list[str], width: int) -> str:
    return _row([_centre(text, width) for text in texts], dots=" ")


def _arrows(width: int) -> str:
    return _labels(["↑"] * 3, width)


def _centre(text: str, width: int) -> str:
    return f"{text:^{width + 4}}"
