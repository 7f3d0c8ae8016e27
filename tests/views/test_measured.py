"""The charts of what was measured: each shows its numbers, and what was not measured has none."""

from __future__ import annotations

from unrolled.inspection.context import Context
from unrolled.inspection.memory_horizon import Horizon
from unrolled.inspection.saturation import Gate, Saturation
from unrolled.views.measured import charts_of

REACH = Horizon(norms=(4.0, 2.0, 1.0), lag_90=1, survival=0.25, reach=2, verdict="healthy", answers=5)
NO_GATES = Saturation(30, {}, {}, ("none",))


def context() -> Context:
    measured = {"given": (1, 2, 4), "losses": (2.0, 1.0, 1.5), "errors": (0.1, 0.1, 0.1), "answers": 40, "best": 2}
    judged = {"useful": 2, "limit": 2, "gain": 1.0, "gain_error": 0.1, "harm": 0.5, "harm_error": 0.1}
    return Context(**measured, **judged, measure="nats", trained="")


def test_each_measure_has_its_chart() -> None:
    gates = Saturation(30, {"layer 1, forget gate": Gate((0.0, 1.0), (0.5, 0.0))}, {}, ("moves",))
    sections = list(charts_of(REACH, context(), gates, "not measured"))
    assert [one.title for one in sections] == ["How far back", "Are its gates stuck?"]
    assert "gradient by lag" in sections[0].body and "loss by context" in sections[0].body
    assert ">best<" in sections[0].body and ">90 % of it<" in sections[0].body
    assert "layer 1, forget gate" in sections[1].body and "30 steps, a dot a unit" in sections[1].body


def test_what_was_not_measured_is_not_drawn() -> None:
    assert list(charts_of("not measured: why", "not measured: why", NO_GATES, "not measured: why")) == []
    silent = Horizon(norms=(0.0, 0.0), lag_90=0, survival=float("nan"), reach=0, verdict="vanishing", answers=5)
    assert list(charts_of(silent, "not measured", NO_GATES, "not measured")) == []
