"""A training as sections of a page: its curves, gradients, gates and samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unrolled.page.chart import Chart
from unrolled.page.document import Section, document, escaped
from unrolled.runs.training_log import Look, TrainingLog, spread
from unrolled.runs.training_state import TrainingState
from unrolled.views.shown import verdicts

__all__ = ["curves", "training_page"]

_LINES = 5  # lines that can be told apart in a chart
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
    sections = [verdicts(said), *reload, *curves(log, state.loss, state.chooses, state.best), *_looks(log.looks)]
    of = "" if log.total is None else f" of {log.total:,}"
    return document(str(state.run), f"step {log.step:,}{of}, {log.spent:,.0f} seconds", sections)


def curves(log: TrainingLog, loss: str, chooses: str, best: int | None) -> Iterator[Section]:
    """The learning curves, the rate and the gradients.

    Args:
        log: the training.
        loss, chooses: the metrics that are the loss and that choose the weights.
        best: which validation was the best.
    """
    at = None if best is None else int(log.validated[best])
    if len(log.steps) or loss in log.valid:
        chart = Chart(x="step", y=loss)
        if len(log.steps):
            chart.line(log.steps, log.losses, "train")
        if loss in log.valid:
            chart.line(log.validated, log.valid[loss], "valid")
        yield _section("Loss", _marked(chart, log, at))
    if chooses != loss and chooses in log.valid:
        chart = Chart(x="step", y=chooses).line(log.validated, log.valid[chooses], "valid")
        yield _section("What chooses the weights", _marked(chart, log, at))
    if not len(log.steps):
        return
    yield _section("Learning rate", Chart(x="step", y="rate", y_range=(0,)).line(log.steps, log.rates))
    if log.parts:
        yield _section("Gradient norm", _norms(log))
        clipped = Chart(x="step", y="share of steps", y_range=(0, 1)).line(log.steps, log.clipped)
        yield _section("Clipped steps", clipped)


def _marked(chart: Chart, log: TrainingLog, best: int | None) -> Chart:
    places: dict[int, list[str]] = {} if best is None else {best: ["best"]}
    for phase in log.phases[1:]:
        places.setdefault(phase.step, []).append(f"rate {phase.name}")
    for step, names in places.items():
        chart.mark(step, ", ".join(names))
    return chart


def _norms(log: TrainingLog) -> Chart:
    """The norms of the first part, the last one and those between, as many as can be told apart."""
    chart = Chart(x="step", y="norm before it is clipped", y_log=True)
    for name in spread(log.parts, _LINES):
        chart.line(log.steps, log.parts[name], name)
    return chart


def _looks(looks: tuple[Look, ...]) -> Iterator[Section]:
    if looks and looks[-1].gates:
        names = spread(looks[-1].gates, _BARS)
        shares = [looks[-1].gates[name] for name in names]
        chart = Chart(x="share of steps and units", x_range=(0, 1))
        chart.bars([one["closed"] for one in shares], names, "below 0.1")
        chart.bars([one["open"] for one in shares], names, "above 0.9")
        yield _section(f"Gates at step {looks[-1].step:,}", chart)
    if samples := [look for look in looks if look.sample][-_SAMPLES:]:
        lines = "".join(f"<dt>step {look.step:,}</dt><dd>{_written(look.sample)}</dd>" for look in reversed(samples))
        yield Section("What it answers on a held-out row", f'<dl class="verdicts">{lines}</dl>')


def _written(sample: dict[str, Any]) -> str:
    flat: dict[str, Any] = {}
    for name, value in sample.items():
        inside = (
            {f"{name}: {column}": one for column, one in value.items()} if isinstance(value, dict) else {name: value}
        )
        flat.update(inside)
    return "".join(f"<p>{escaped(name)} <code>{escaped(value)}</code></p>" for name, value in flat.items())


def _section(title: str, chart: Chart) -> Section:
    return Section(title, chart.to_svg(), wide=False)
