"""``unrolled probe``: the longest sequences on which a model can learn to remember."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unrolled.cli.output import Told, emit, table
from unrolled.cli.settings import split_list
from unrolled.errors import UsageError
from unrolled.runs.choices import model_names
from unrolled.runs.progress import Progress

if TYPE_CHECKING:
    from unrolled.api import Found

__all__ = ["probe"]


def probe(
    *,
    model: Annotated[str, Parameter(help=f"One of {', '.join(model_names())}.")],
    up_to: int,
    problems: str = "adding,copy,selective,recall,order",
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    told: Told | None = None,
) -> None:
    """Find the longest sequences on which a model learns to remember, with the time and memory that a step takes.

    Args:
        up_to: Length to reach; training starts with short sequences and doubles their length whenever they are solved.
        problems: What to remember: two numbers among many, to add them (adding); a few symbols, to repeat them after a
            pause (copy) or picked out of noise (selective); which value belongs to a key (recall); which of two symbols
            came first (order). Default: adding,copy,selective,recall,order.
        minutes: Time budget of each problem. Default: 2.
        steps: Budget of each problem in training steps, instead of minutes.
        seed: Random seed. Default: 0.
    """
    told = told or Told()
    names = split_list(problems)
    if not names:
        raise UsageError("--problems is empty: choose from adding, copy, selective, recall and order")
    from unrolled import api

    with Progress(quiet=told.quiet) as progress:
        found = api.probe(model, up_to, names, minutes=minutes, steps=steps, seed=seed, say=progress.say)
    if told.json:
        emit({"model": model, "up_to": up_to, "problems": [_as_json(one) for one in found]})
        return
    head = ["", "longest T", "score there", "steps", "seconds", "µs a row and step", "peak MB", "µs a live step"]
    print(table(head, [_row(one) for one in found]))


def _row(found: Found) -> list[str]:
    unit = "mse" if found.problem == "adding" else "right"
    return [
        found.problem,
        str(found.longest) if found.longest else "none",
        "" if math.isnan(found.score) else f"{found.score:.4g} {unit}",
        str(found.steps),
        f"{found.seconds:.0f}",
        "" if math.isnan(found.microseconds) else f"{found.microseconds:.2g}",
        "" if found.peak_bytes is None else f"{found.peak_bytes / 1e6:.0f}",
        "" if found.push_microseconds is None else f"{found.push_microseconds:.3g}",
    ]


def _as_json(found: Found) -> dict[str, object]:
    values = {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in asdict(found).items()}
    del values["model"], values["up_to"]
    return values
