"""Two models on the same data, on a page: where losses differ, how far both reach, and which layers are alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unrolled.inspection.context import Context
from unrolled.inspection.memory_horizon import Horizon
from unrolled.page.chart import Chart, picture
from unrolled.page.document import Grid, Section, escaped
from unrolled.page.notebook import grid
from unrolled.runs.beside import Beside

__all__ = ["side_by_side"]

_DRAWN = 4_000  # places on a page
_NAMES = ("this model", "the other")


def side_by_side(
    found: Beside, reach: Horizon | str, context: Context | str, *, hide: bool = False
) -> Iterator[Section]:
    """What a page shows of another model beside the inspected one.

    Args:
        found: the other model.
        reach, context: of the inspected one.
        hide: leave out what came and what was answered.
    """
    title = f"Beside {found.other}"
    if found.places:
        yield Section(f"{title}: the difference of the losses", view="text", data=_places(found, hide), group="beside")
    back = [*_of_reach(reach, found.reach), *_of_context(context, found.context)]
    if back:
        yield Section(f"{title}: how far back", picture(back, columns=len(back)))
    if found.disagreements and not hide:
        head = ["place", *(f"loss, {name}" for name in _NAMES), "came", *_NAMES]
        lines = [
            [f"{one.row}:{one.end}", one.ours, one.theirs, one.came, *(one.expected or ("", ""))]
            for one in found.disagreements
        ]
        about = f"<p>Row and {escaped(found.unit)}; the ten places where answers differ and losses differ most.</p>"
        yield Section(f"{title}: where they disagree", f'{about}<div class="scroll">{grid(head, lines)}</div>')
    if found.layers:
        yield Section(f"{title}: layers that are alike", _alike(found), folded=True)


def _places(found: Beside, hide: bool) -> dict[str, object]:
    """The places as symbols of a row, coloured by the difference: blue where this model is better."""
    shown = found.places[:_DRAWN]
    differences = np.array([one.ours - one.theirs for one in shown])
    most = float(np.abs(differences).max(initial=1e-9))
    tokens = [str(one.end) if hide else one.came for one in shown]
    name = f"{found.measure}: this model less the other"
    quantity = {"name": name, "grid": Grid(differences[:, None], -most, most), "units": [0], "gate": False}
    return {"tokens": tokens, "quantities": [quantity], "gap": " " if hide or found.unit != "characters" else ""}


def _of_reach(ours: Horizon | str, theirs: Horizon | str) -> Iterator[Chart]:
    known = [(name, one) for name, one in zip(_NAMES, (ours, theirs), strict=True) if not isinstance(one, str)]
    if len(known) == len(_NAMES):
        chart = Chart("gradient by lag", x="steps back, from 1", y="norm of the gradient", x_log=True, y_log=True)
        for name, one in known:
            chart.line(np.arange(1, len(one.norms) + 1), one.norms, name)
        yield chart


def _of_context(ours: Context | str, theirs: Context | str) -> Iterator[Chart]:
    known = [(name, one) for name, one in zip(_NAMES, (ours, theirs), strict=True) if not isinstance(one, str)]
    if len(known) == len(_NAMES) and len({one.measure for _, one in known}) == 1:
        chart = Chart("loss by context", x="steps that are given", y=known[0][1].measure, x_log=True)
        for name, one in known:
            chart.line(one.given, one.losses, name)
        yield chart


def _alike(found: Beside) -> str:
    rows = list(dict.fromkeys(pair.ours for pair in found.layers))
    columns = list(dict.fromkeys(pair.theirs for pair in found.layers))
    table = np.full((len(rows), len(columns)), np.nan)
    for pair in found.layers:
        table[rows.index(pair.ours), columns.index(pair.theirs)] = pair.cka
    chart = Chart("linear CKA", x="layers of the other", y="layers of this model").cells(
        table, rows=rows, columns=columns, most=1.0
    )
    caution = (
        "It compares where states lie, not what they do: outliers, or a shift that changes no answer, can move it."
    )
    return f"<p>{caution}</p>{chart.to_svg()}"
