"""Computes every metric that accepts the given judged answers.

total = added({}, answers)            # of each batch, in turn
numbers = values(total)               # {"accuracy": 0.81, …}
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from unrolled.config import default_options, made, options_of
from unrolled.metrics._ratios import OVER
from unrolled.metrics.judged import Answers
from unrolled.metrics.metric import METRICS, Metric, Signed, Sums

__all__ = [
    "Programs",
    "added",
    "counts",
    "metric_of",
    "programs",
    "reporting",
    "scores",
    "signatures",
    "summed",
    "values",
]

_PART = ": "  # between the names of a metric and of one of its sums


Own = Mapping[str, Mapping[str, Any]]  # ``metric.name`` -> the options of that metric


NO_OPTIONS: Own = MappingProxyType({})


class Programs(dict[str, Metric]):
    """The metrics by name, made once for many calls: `programs` makes them, and all functions here take them."""


def programs(own: Own | Programs) -> Programs:
    """An instance of each metric with its options."""
    if isinstance(own, Programs):
        return own
    return Programs(
        {
            name: made(member, options=options_of(own, "metric", name))
            if f"metric.{name}" in own
            else _by_default(member)
            for name, member in METRICS.members().items()
        }
    )


@functools.cache
def _by_default(member: Any) -> Metric:
    """One instance for all: checking options takes as long as judging a small batch."""
    return made(member, options=default_options(member))


def reporting(own: Own | Programs, names: Collection[str]) -> Programs:
    """The metrics that report one of ``names``, such as those by which models are chosen."""
    found = programs(own).items()
    return Programs({name: one for name, one in found if any(of.is_called(n) for of in one.measures for n in names)})


def added(total: Sums, answers: Answers, own: Own | Programs = NO_OPTIONS) -> Sums:
    """``total`` plus the sums of ``answers``, as ``metric: part`` -> tensor; the order of batches does not matter.

    Args:
        total: the sums of earlier batches; empty for the first batch.
        answers: judged answers to one batch.
        own: the options of the metrics.
    """
    known, sums = programs(own), dict(total)
    for judged in answers:
        for name, metric in known.items():
            if isinstance(judged, metric.judges):
                for part, value in metric.sums(judged).items():
                    key = f"{name}{_PART}{part}"
                    sums[key] = sums[key] + value if key in sums else value
    return sums


def summed(groups: Iterable[Sums]) -> Sums:
    """The sums of several parts of a split together."""
    total = Sums()
    for group in groups:
        for name, value in group.items():
            total[name] = total[name] + value if name in total else value
    return total


def metric_of(key: str) -> str:
    """The metric that a key of the sums belongs to."""
    return key.partition(_PART)[0]


def values(total: Sums, own: Own | Programs = NO_OPTIONS) -> dict[str, float]:
    """The metrics from the sums in ``total``; empty if nothing was judged."""
    parts: dict[str, Sums] = {}
    for key, value in total.items():
        name, _, part = key.partition(_PART)
        parts.setdefault(name, {})[part] = value
    known = programs(own)
    return {name: value for metric, sums in parts.items() for name, value in known[metric].values(sums).items()}


def counts(total: Sums) -> dict[str, float]:
    """What the measures in ``total`` that are ratios are divided by, by the name of the measure.

    Example:
        >>> import torch
        >>> from unrolled.metrics.judged import ChosenTokens
        >>> counts(added({}, (ChosenTokens(torch.tensor([3, 5]), torch.tensor([3, 4])),)))
        {'accuracy': 2.0}
    """
    parts = {key.partition(_PART)[2]: value for key, value in total.items()}
    return {
        name.removesuffix(OVER): float(value)
        for name, value in parts.items()
        if name.endswith(OVER) and value.numel() == 1
    }


def signatures(names: Collection[str], own: Own | Programs = NO_OPTIONS) -> dict[str, str]:
    """How those of the metrics ``names`` are computed that have a signature, such as BLEU."""
    signed = [metric for metric in programs(own).values() if isinstance(metric, Signed)]
    measured = [one for one in signed if any(measure.name in names for measure in one.measures)]
    return {name: text for metric in measured for name, text in metric.signatures().items() if name in names}


def scores(batches: Iterable[Answers], own: Own | Programs = NO_OPTIONS) -> dict[str, float]:
    """The metrics over all batches of judged answers.

    Example:
        >>> import torch
        >>> from unrolled.metrics.judged import ChosenTokens
        >>> scores([(ChosenTokens(torch.tensor([3, 5]), torch.tensor([3, 4])),)])
        {'accuracy': 0.5}
    """
    total, known = Sums(), programs(own)
    for answers in batches:
        total = added(total, answers, known)
    return values(total, known)
