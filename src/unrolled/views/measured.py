"""What was measured over many answers, as charts: reach, useful context, gates and the model's own motion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from unrolled.inspection.context import Context
from unrolled.inspection.dynamics import Dynamics
from unrolled.inspection.memory_horizon import Horizon
from unrolled.inspection.saturation import CLOSED, OPEN, Saturation
from unrolled.page.chart import Chart, picture
from unrolled.page.document import Section

__all__ = ["charts_of"]

_GATES = 6  # that can be told apart in one chart


def charts_of(
    reach: Horizon | str, context: Context | str, gates: Saturation, dynamics: Dynamics | str
) -> Iterator[Section]:
    """A section for each thing that was measured.

    Args:
        reach, context, gates, dynamics: as in an inspection; a sentence says why one was not measured.
    """
    back = [*_of_reach(reach), *_of_context(context)]
    if back:
        yield Section("How far back", _drawn(back))
    stuck = list(_of_gates(gates))
    if stuck:
        yield Section("Are its gates stuck?", _drawn(stuck), wide=False)
    moves = list(_of_motion(dynamics))
    if moves:
        yield Section("How a small change of its state fades", _drawn(moves), wide=False)


def _drawn(charts: list[Chart]) -> str:
    return picture(charts, columns=min(2, len(charts)))


def _of_reach(reach: Horizon | str) -> Iterator[Chart]:
    if not isinstance(reach, str) and any(norm > 0 for norm in reach.norms):
        chart = Chart("gradient by lag", x="steps back, from 1", y="norm of the gradient", x_log=True, y_log=True)
        yield chart.line(np.arange(1, len(reach.norms) + 1), reach.norms).mark(reach.lag_90 + 1, "90 % of it")


def _of_context(context: Context | str) -> Iterator[Chart]:
    if isinstance(context, str):
        return
    losses, errors = np.array(context.losses), np.array(context.errors)
    chart = Chart("loss by context", x="steps that are given", y=context.measure, x_log=True)
    chart.line(context.given, losses, "mean loss").band(context.given, losses - errors, losses + errors, "± its error")
    yield chart.mark(context.best, "best")


def _of_gates(gates: Saturation) -> Iterator[Chart]:
    """A dot a unit: the share of the steps in which it is nearly closed against that in which it is nearly open."""
    if not gates.gates:
        return
    x, y = f"share of steps below {CLOSED}", f"share of steps above {OPEN}"
    chart = Chart(f"{gates.steps:,} steps, a dot a unit", x=x, y=y, x_range=(0, 1), y_range=(0, 1))
    for name, gate in list(gates.gates.items())[:_GATES]:
        chart.dots(gate.closed, gate.open, name)
    yield chart


def _of_motion(dynamics: Dynamics | str) -> Iterator[Chart]:
    if isinstance(dynamics, str):
        return
    known = [value for value in dynamics.exponents if np.isfinite(value)]
    if known:
        title = f"Lyapunov exponents over {dynamics.steps:,} steps"
        yield Chart(title, x="direction", y="nats a step").bars(range(1, len(known) + 1), known).mark(0.0, on="y")
