"""What a command prints: results on stdout, as a table or one JSON object with a version; notes on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cyclopts import Parameter

__all__ = ["SCHEMA", "Told", "comparison", "emit", "is_better", "note", "table", "verdict"]

SCHEMA = 1


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Told:
    """The output flags of every command."""

    json: bool = False
    """Print one JSON object."""
    quiet: bool = False
    """Print only errors to stderr."""


def emit(values: dict[str, Any]) -> None:
    """Print ``values`` as one JSON object, the schema's version first."""
    print(json.dumps({"schema": SCHEMA, **values}, ensure_ascii=False, default=str), flush=True)


def note(text: str, *, quiet: bool = False) -> None:
    """Print ``text`` to stderr, unless ``quiet``."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of text, the first column aligned left, the others right.

    >>> print(table(["", "mse"], [["model", "0.5"], ["last value", "0.75"]]))
                 mse
    model        0.5
    last value  0.75
    """
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        first, *rest = row
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *numbers]).rstrip())
    return "\n".join(lines)


def is_better(metric: str, value: float, other: float) -> bool:
    """True if ``value`` is better than ``other``; never true of NaN, or of a metric with no better direction.

    >>> is_better("accuracy", 0.9, 0.8), is_better("mse_scaled", 0.9, 0.8), is_better("exact_match", 0.9, 0.8)
    (True, False, True)
    """
    from unrolled.metrics.metric import cost

    return cost(metric, value) < cost(metric, other)


def comparison(metrics: dict[str, float], others: dict[str, dict[str, float]], own: str = "this model") -> str:
    """A table of the ``own`` metrics, and below them the others, the best first."""
    from unrolled.metrics.metric import best_first

    return listed(metrics, best_first(others, next(iter(metrics), "")), own)


def listed(metrics: dict[str, float], others: dict[str, dict[str, float]], own: str) -> str:
    """A table of the ``own`` metrics, and below them the others in their given order."""
    rows = [(own, metrics), *others.items()]
    return table(["", *metrics], [[name, *(_number(values.get(m)) for m in metrics)] for name, values in rows])


def verdict(metrics: dict[str, float], baselines: dict[str, dict[str, float]]) -> str:
    """A sentence that says whether a baseline is as good as the model, and in which metric."""
    from unrolled.metrics.metric import best_first, measure

    for metric, value in metrics.items():
        rivals = best_first({name: values for name, values in baselines.items() if metric in values}, metric)
        declared = measure(metric)
        if not rivals or declared is None or declared.better is None:
            continue
        name, best = next((name, values[metric]) for name, values in rivals.items())
        if not is_better(metric, value, best):
            return (
                f"The baseline '{name}' is as good or better in {metric} ({_number(best)} against {_number(value)}): "
                "the model is not worth its cost yet; give it more time, more data or more --hidden units."
            )
    return "The model is better than every baseline." if baselines else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
