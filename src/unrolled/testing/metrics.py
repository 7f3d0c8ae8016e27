"""The contracts of a metric as functions of its class and a kind of answers that it scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch

from unrolled.config import default_options, made
from unrolled.metrics.metric import Measure, Metric, Sums
from unrolled.testing.answers import JUDGED, N
from unrolled.testing.report import require

__all__ = ["CONTRACTS"]


def batches_add_up(metric: type[Metric], kind: type) -> None:
    """The sums over batches, added in any order, give the same values as the sum over all answers."""
    whole, part = _drawn(kind), JUDGED[kind].part
    parts = [part(whole, a, b) for a, b in ((0, 10), (10, 10), (10, 30), (30, N))]
    wanted = _values(metric, whole)
    require(bool(wanted), f"{N} answers give no value")
    for batches in (parts, parts[::-1]):
        found = _values(metric, *batches)
        alike = found.keys() == wanted.keys() and all(
            math.isclose(value, wanted[name], rel_tol=1e-9, abs_tol=1e-12) for name, value in found.items()
        )
        require(alike, f"over batches the values are {found}, over all answers {wanted}")


def no_answers(metric: type[Metric], kind: type) -> None:
    """Without answers there are no values."""
    found = _values(metric, JUDGED[kind].part(_drawn(kind), 0, 0))
    require(found == {}, f"without answers the values are {found}, expected none")


def declared_values(metric: type[Metric], kind: type) -> None:
    """Every value is a float with a declared name; each measure has a unit and a better direction or None."""
    for name, value in _values(metric, _drawn(kind)).items():
        require(_measure(metric, name) is not None, f"{name!r} is not among its measures")
        require(type(value) is float, f"{name} is {value!r}, expected a float")
    for measure in metric.measures:
        whole = bool(measure.unit) and measure.better in ("higher", "lower", None)
        require(whole, f"the measure {measure.name!r} has the unit {measure.unit!r} and is better {measure.better!r}")


def perfect_answers(metric: type[Metric], kind: type) -> None:
    """Perfect answers have better values than random ones, in the declared direction."""
    drawn = _drawn(kind)
    some, best = _values(metric, drawn), _values(metric, JUDGED[kind].perfect(drawn))
    require(some.keys() == best.keys(), f"perfect answers give {', '.join(best)}; others give {', '.join(some)}")
    for name, value in best.items():
        measure = _measure(metric, name)
        sign = 0 if measure is None or measure.better is None else 1 if measure.better == "higher" else -1
        better = sign == 0 or sign * value > sign * some[name]
        require(better, f"perfect answers have {name} = {value:.4g}, random ones {some[name]:.4g}")


CONTRACTS: Sequence[Callable[[type[Metric], type], None]] = (
    batches_add_up,
    no_answers,
    declared_values,
    perfect_answers,
)


def _drawn(kind: type) -> Any:
    torch.manual_seed(0)
    return JUDGED[kind].drawn()


def _values(metric: type[Metric], *batches: Any) -> dict[str, float]:
    program, total = made(metric, options=default_options(metric)), Sums()
    for judged in batches:
        for name, value in program.sums(judged).items():
            total[name] = total[name] + value if name in total else value
    found: dict[str, float] = program.values(total)
    return found


def _measure(metric: type[Metric], name: str) -> Measure | None:
    return next((measure for measure in metric.measures if fnmatchcase(name, measure.name)), None)
