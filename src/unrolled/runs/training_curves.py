"""The charts of a training: loss and validation, learning rate, gradients; for the page of `watch` and the report."""

from __future__ import annotations

from unrolled.page.chart import Chart
from unrolled.runs.training_log import TrainingLog, spread

__all__ = ["curves"]

_LINES = 5  # that can be told apart in a chart


def curves(log: TrainingLog, loss: str, chooses: str, best: int | None, clip: float | None) -> list[Chart]:
    """The charts; what was not logged has none.

    Args:
        log: the training.
        loss, chooses: the metrics that are the loss and that choose the weights.
        best: the step of the best validation.
        clip: the norm above which gradients are clipped.
    """
    charts = []
    if len(log.steps) or loss in log.valid:
        chart = Chart("loss", x="step", y=loss)
        if len(log.steps):
            chart.line(log.steps, log.losses, "training")
        if loss in log.valid:
            chart.line(log.validated, log.valid[loss], "validation")
        charts.append(_marked(chart, log, best))
    if chooses != loss and chooses in log.valid:
        chart = Chart(chooses, x="step", y=chooses).line(log.validated, log.valid[chooses], "validation")
        charts.append(_marked(chart, log, best))
    if len(log.steps):
        charts.append(Chart("learning rate", x="step", y="rate", y_range=(0,)).line(log.steps, log.rates))
    if log.parts:
        charts.append(_norms(log, clip))
    if log.parts and clip is not None:
        chart = Chart("clipped", x="step", y="share of the steps", y_range=(0, 1))
        charts.append(chart.line(log.steps, log.clipped))
    return charts


def _marked(chart: Chart, log: TrainingLog, best: int | None) -> Chart:
    places: dict[int, list[str]] = {} if best is None else {best: ["best"]}
    for phase in log.phases[1:]:
        places.setdefault(phase.step, []).append(f"the rate {phase.name}")
    for step, names in places.items():
        chart.mark(step, ", ".join(names))
    return chart


def _norms(log: TrainingLog, clip: float | None) -> Chart:
    """The norms of the first part, the last one and those between, as many as can be told apart."""
    chart = Chart("gradient, before it is clipped", x="step", y="norm", y_log=True)
    for name in spread(log.parts, _LINES):
        chart.line(log.steps, log.parts[name], name)
    return chart if clip is None else chart.mark(clip, "clipped above", on="y")
