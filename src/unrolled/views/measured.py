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
    back = [] if isinstance(reach, str) or not any(norm > 0 for norm in reach.norms) else [reach.chart()]
    back += [] if isinstance(context, str) else [context.chart()]
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
