"""Why one answer: what each step that was read is worth to it, as bars along the row, with the sum and the gap."""

from __future__ import annotations

from collections.abc import Iterator

from unrolled.inspection.attribute import Attribution
from unrolled.page.chart import Chart, picture
from unrolled.page.document import Section, escaped
from unrolled.page.marks import FEW

__all__ = ["resting"]

_BEYOND, _NEAR = (
    (18.0, -24.0),
    (5.0, -13.0),
)  # pixels above the end of a bar, and of one below zero: with its value, without
_LETTER, _WIDE = 7.0, 330.0  # pixels of a letter, and of all bars
_COLUMNS = 6  # that are drawn, those that count most


def resting(why: Attribution | str) -> Iterator[Section]:
    """The section of what an answer rests on; none where that is not known."""
    if isinstance(why, str) or not any(why.values):
        return
    charts = [_bars(why, "all columns" if why.columns else "worth of each step", why.values)]
    most = sorted(why.columns, key=lambda name: -max(map(abs, why.columns[name])))[:_COLUMNS]
    charts += [_bars(why, name, why.columns[name]) for name in why.columns if name in most]
    yield Section("Why this answer", f"<p>{escaped(why.sentence)}.</p>{picture(charts)}")


def _bars(why: Attribution, title: str, values: tuple[float, ...]) -> Chart:
    steps = range(why.first, why.first + len(values))
    room = [1.25 * min(values), 1.25 * max(values)]  # for the words and the values above the bars
    chart = Chart(title, x="step", y="worth to the answer", y_range=room).bars(steps, values).mark(0.0, on="y")
    few, named = len(values) <= FEW, list[int]()
    for at in sorted(range(len(values)), key=lambda at: -abs(values[at]))[:3]:
        word = why.read[at].replace(" ", "␣") if why.read and values[at] else ""
        # Words of neighbours would stand on each other.
        apart = _LETTER * len(word) * len(values) / _WIDE
        if word and all(abs(at - other) > apart or values[at] * values[other] < 0 for other in named):
            named.append(at)
            rise = (_BEYOND if few else _NEAR)[values[at] < 0]
            chart.label(steps[at], values[at], word, rise=rise)
    return chart
