"""A training as sections of a page: its curves, gradients, gates and samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unrolled.page.chart import Chart, picture
from unrolled.page.document import Section, document, escaped
from unrolled.runs.training_curves import curves
from unrolled.runs.training_log import Look, spread
from unrolled.runs.training_state import TrainingState
from unrolled.views.shown import verdicts

__all__ = ["training_page"]

_BARS, _SAMPLES = 18, 5
RELOAD = 5  # seconds


def training_page(state: TrainingState, *, follow: bool = False) -> str:
    """The training of a run as a page that works offline.

    Args:
        state: the training.
        follow: the page is loaded again every few seconds, unless the training is over.
    """
    log = state.log
    said = [("now", state.sentence), *(("wrong", sentence) for sentence in state.verdicts)]
    if log.skipped:
        said.append(("skipped", f"{log.skipped:,} steps, as their loss or gradient was not finite"))
    reload = [Section("Following", view="reload", data={"seconds": RELOAD})] if follow and not state.over else []
    best = None if state.best is None else int(log.validated[state.best])
    charts = curves(log, state.loss, state.chooses, best, state.config.training.clip)
    drawn = [Section("Learning curves", picture(charts, columns=2))] if charts else []
    sections = [verdicts(said), *reload, *drawn, *_looks(log.looks)]
    of = "" if log.total is None else f" of {log.total:,}"
    return document(str(state.run), f"step {log.step:,}{of}, {log.spent:,.0f} seconds", sections)


def _looks(looks: tuple[Look, ...]) -> Iterator[Section]:
    if looks and looks[-1].gates:
        names = spread(looks[-1].gates, _BARS)
        shares = [looks[-1].gates[name] for name in names]
        chart = Chart(x="share of steps and units", x_range=(0, 1))
        chart.bars([one["closed"] for one in shares], names, "below 0.1")
        chart.bars([one["open"] for one in shares], names, "above 0.9")
        yield Section(f"Gates at step {looks[-1].step:,}", chart.to_svg(), wide=False)
    if samples := [look for look in looks if look.sample][-_SAMPLES:]:
        lines = "".join(f"<dt>step {look.step:,}</dt><dd>{_written(look.sample)}</dd>" for look in reversed(samples))
        yield Section("What it answers on a held-out row", f'<dl class="verdicts">{lines}</dl>', wide=False)


def _written(sample: dict[str, Any]) -> str:
    flat: dict[str, Any] = {}
    for name, value in sample.items():
        inside = (
            {f"{name}: {column}": one for column, one in value.items()} if isinstance(value, dict) else {name: value}
        )
        flat.update(inside)
    return "".join(f"<p>{escaped(name)} <code>{escaped(value)}</code></p>" for name, value in flat.items())
