"""A network unrolled through time, drawn in text: time goes right, data goes up, the same box is the same weights."""

from __future__ import annotations

from typing import Literal

__all__ = ["Answers", "draw", "draw_pair"]

Answers = Literal["row", "step", "next"]
_MOST_LAYERS = 3  # that are drawn one by one
_NOTHING, _ON, _BACK, _EACH = "   ", " → ", " ← ", " ↔ "  # what stands between two steps
_FIRST = "h_0"


def draw(
    cells: list[str],
    *,
    both: bool,
    remembers: bool,
    timed: bool,
    answers: Answers,
    pool: str = "last",
    horizon: int = 0,
    whole: bool = False,
) -> str:
    """The drawing, without a line break at its end.

    Args:
        cells: the name of each layer, from the lowest.
        both: whether each layer reads from the end as well.
        remembers: whether one step hands a state to the next.
        timed: whether the input has steps.
        answers: one a ``row``; one a ``step``; the ``next`` step at each.
        pool: how many steps become the one answer of a row.
        horizon: the next steps that the answer of a row is; 0 where it is something else.
        whole: whether each step sees every other at once, so that there is no state to hand on.

    Example:
        >>> print(draw(["gru"], both=False, remembers=True, timed=True, answers="step"))
                y_1        y_2            y_T
                 ↑          ↑              ↑
              [ head ]   [ head ]   ⋯   [ head ]
                 ↑          ↑              ↑
        h_0 → [ gru  ] → [ gru  ] → ⋯ → [ gru  ] → h_T
                 ↑          ↑              ↑
                x_1        x_2            x_T
    """
    if not timed:
        return " → ".join(["x", *(f"[ {cell} ]" for cell in [*cells, "head"]), "y"])
    cells = _few(cells)
    width = max(len(name) for name in [*cells, "head"])
    rows = [*_answer_rows(answers, pool, horizon, width, both), *_layers(cells, width, both, remembers, whole)]
    return "\n".join([*rows, _labels(["x_1", "x_2", "x_T"], width)])


def draw_pair(
    reads: list[str], writes: list[str], *, both: bool, remembers: bool, attention: str, whole: bool = False
) -> str:
    """The drawing of a model that reads one sequence, below, and writes another, above.

    Args:
        reads, writes: the name of each layer, from the lowest.
        both: whether what reads does so from the end as well.
        remembers: whether one step of it hands a state to the next.
        attention: how it looks back at what was read; ``none``: it does not.
        whole: whether each step of what reads sees every other at once.

    Example:
        >>> print(draw_pair(["gru"], ["gru"], both=False, remembers=True, attention="dot"))
                y_1        y_2            y_U
                 ↑          ↑              ↑
              [ head ]   [ head ]   ⋯   [ head ]
                 ↑          ↑              ↑
        h_0 → [ gru  ] → [ gru  ] → ⋯ → [ gru  ] → h_T
                 ↑          ↑              ↑
              <begin>      y_1           y_U-1
        <BLANKLINE>
          each step above looks back at all m (attention: dot), and is given all of it as one vector
        <BLANKLINE>
                m_1        m_2            m_S
                 ↑          ↑              ↑
        h_0 → [ gru  ] → [ gru  ] → ⋯ → [ gru  ] → h_T
                 ↑          ↑              ↑
                x_1        x_2            x_S
    """
    reads, writes = _few(reads), _few(writes)
    width = max(len(name) for name in [*reads, *writes, "head"])
    looks = "is given all that was read as one vector, and nothing else"
    if attention != "none":
        looks = f"looks back at all m (attention: {attention}), and is given all of it as one vector"
    above = [
        _labels(["y_1", "y_2", "y_U"], width),
        _arrows(width),
        _row([f"[ {'head':^{width}} ]"] * 3),
        _arrows(width),
    ]
    above += [
        *_layers(writes, width, both=False, remembers=True, whole=False),
        _labels(["<begin>", "y_1", "y_U-1"], width),
    ]
    below = [_labels(["m_1", "m_2", "m_S"], width), _arrows(width), *_layers(reads, width, both, remembers, whole)]
    return "\n".join([*above, "", f"  each step above {looks}", "", *below, _labels(["x_1", "x_2", "x_S"], width)])


def _few(cells: list[str]) -> list[str]:
    return [f"{len(cells)} × {cells[-1]}"] if len(cells) > _MOST_LAYERS else cells


def _layers(cells: list[str], width: int, both: bool, remembers: bool, whole: bool) -> list[str]:
    """The layers from the top, each with the arrows into it."""
    rows = []
    for cell in reversed(cells):
        box = f"[ {cell:^{width}} ]"
        if both:
            rows.append(_row([box] * 3, _BACK, after=f"{_BACK}h'_T+1"))
        if remembers and not whole:
            rows.append(_row([box] * 3, _ON, before=_FIRST + _ON, after=f"{_ON}h_T"))
        else:
            rows.append(_row([box] * 3, _EACH if whole else _NOTHING))
        rows.append(_arrows(width))
    return rows


def _answer_rows(answers: Answers, pool: str, horizon: int, width: int, both: bool) -> list[str]:
    """All that stands above the layers, from the top."""
    head = f"[ {'head':^{width}} ]"
    answer = f"x_T+1 … x_T+{horizon}" if horizon > 1 else "x_T+1" if horizon else "y"
    if answers == "row" and pool == "last" and not both:
        boxes = [["", "", text] for text in (_centre(answer, width), _centre("↑", width), head, _centre("↑", width))]
        return [_row([cell or " " * (width + 4) for cell in row], dots=" ") for row in boxes]
    if answers == "row":
        inside = len(_row([head] * 3).strip()) - 4
        how = {
            "last": "the last step of each direction",
            "mean": "mean over the steps",
            "max": "maximum over the steps",
        }
        wide = [" " * len(_FIRST + _ON) + text for text in (answer, "↑", "[ head ]", "↑", f"[ {how[pool]:^{inside}} ]")]
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
