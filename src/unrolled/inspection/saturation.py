"""Gates that are stuck: the share of steps in which each is nearly closed or open, unit by unit, and what that means.

Axes: T steps, H units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.errors import counted, named
from unrolled.inspection.trace import Trace

__all__ = ["CLOSED", "OPEN", "USED", "Gate", "Saturation", "saturation"]

CLOSED, OPEN = 0.1, 0.9
_STUCK = 0.95  # of the steps
_STILL = 1e-6  # a variance
_LEAST = 20  # steps: 95 % of fewer is all of them
_GATES = ("i", "f", "o", "r", "z")
USED = (*_GATES, "h")  # the symbols of the values that are looked at


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of H units.

    Attributes:
        closed: (H,) the share of the steps in which it is below 0.1.
        open: (H,) the share of the steps in which it is above 0.9.
    """

    closed: tuple[float, ...]
    open: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Saturation:
    """How the gates of a model are used, and which of its units are stuck.

    A unit is stuck where one of these holds::

        keeps for ever     f > 0.9 in at least 95 % of the steps
        never remembers    f < 0.1 in at least 95 % of the steps
        never heard        o < 0.1 in at least 95 % of the steps
        dead               the variance of h over the steps is below 1e-6

    f and o are the forget and the output gate; of other gates only the shares are given, since an update gate of 1
    keeps in one cell and replaces in another. Below 20 steps no unit is called stuck.

    Attributes:
        steps: T, of all rows together.
        gates: a gate in words, such as "layer 1, forget gate" -> its shares.
        stuck: layer -> one of the four findings -> its units, from 0; only those that were found.
        verdicts: a sentence for each finding.
    """

    steps: int
    gates: dict[str, Gate]
    stuck: dict[str, dict[str, tuple[int, ...]]]
    verdicts: tuple[str, ...]


def saturation(traces: Sequence[Trace]) -> Saturation:
    """Measure the gates and hidden states of recurrent cells over all steps of ``traces`` of one model.

    Example:
        >>> step = torch.tensor([[0.99, 0.5]])  # two units
        >>> values = {"layer.layers.0.0.f": step.expand(40, 2), "layer.layers.0.0.h": torch.randn(40, 2)}
        >>> saturation([Trace(40, values, None, {}, None, 0.0)]).stuck
        {'layer 1': {'keeps for ever': (0,)}}
    """
    steps = sum(trace.steps for trace in traces)
    gates: dict[str, Gate] = {}
    stuck: dict[str, dict[str, tuple[int, ...]]] = {}
    units: dict[str, int] = {}
    for name, path in traces[0].names.items() if traces else ():
        symbol, layer = path.rpartition(".")[2], name.rpartition(", ")[0] or "the cell"
        if symbol not in USED or traces[0].values[path].dim() != 2:
            continue
        values = torch.cat([trace.values[path] for trace in traces])  # (T, H)
        units[layer] = values.shape[1]
        if symbol != "h":
            closed, opened = ((values < CLOSED).double().mean(0), (values > OPEN).double().mean(0))
            gates[name] = Gate(tuple(closed.tolist()), tuple(opened.tolist()))
        for finding, found in _findings(symbol, values):
            if steps >= _LEAST and found.any():
                stuck.setdefault(layer, {})[finding] = tuple(found.nonzero().flatten().tolist())
    return Saturation(steps, gates, stuck, tuple(_verdicts(steps, units, stuck)))


def _findings(symbol: str, values: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Each finding that values of this kind allow, and (H,) bool: the units for which it holds."""
    if symbol == "h":
        yield "dead", values.double().var(0, correction=0) < _STILL
    if symbol == "f":
        yield "keeps for ever", (values > OPEN).double().mean(0) >= _STUCK
        yield "never remembers", (values < CLOSED).double().mean(0) >= _STUCK
    if symbol == "o":
        yield "never heard", (values < CLOSED).double().mean(0) >= _STUCK


def _verdicts(steps: int, units: dict[str, int], stuck: dict[str, dict[str, tuple[int, ...]]]) -> Iterator[str]:
    if not units:
        yield "this model has no recurrent cell, so it has no gates"
    elif steps < _LEAST:
        read = counted(steps, "step was", "steps were")
        yield f"only {read} read, too few to call a gate stuck: give at least {_LEAST}"
    elif not stuck:
        yield f"no unit is stuck in {steps:,} steps: each gate moves, and each hidden state varies"
    fewer = f"fewer units would do ({named('hidden')})"
    often = f"in at least {_STUCK:.0%} of {steps:,} steps"
    why = {
        "keeps for ever": f"the forget gate is above {OPEN} {often}; what they hold hardly fades, so start every "
        "sequence from a fresh state",
        "never remembers": f"the forget gate is below {CLOSED} {often}; they see only the current step, so {fewer}",
        "never heard": f"the output gate is below {CLOSED} {often}; nothing reads what they hold, so {fewer}",
        "dead": f"the hidden state varies by less than {_STILL:g} over {steps:,} steps; {fewer}, or a lower learning "
        f"rate ({named('lr')})",
    }
    for layer, findings in stuck.items():
        for finding, found in findings.items():
            yield f"{layer}, {len(found)} of {units[layer]} units, {finding}: {why[finding]}"
