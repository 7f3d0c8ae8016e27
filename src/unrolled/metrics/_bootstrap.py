"""The bootstrap over groups of a split: how far a metric would move if other sequences had been held out.

Axes: D draws, G groups; … the shape of a sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from unrolled.metrics.metric import Sums, cost
from unrolled.metrics.scoring import NO_OPTIONS, Own, Programs, metric_of, programs, values

__all__ = ["interval", "redrawn", "standard_error"]

_DRAWS = 200
_MOST = 4096  # numbers in a sum


def redrawn(
    groups: Sequence[Sums], own: Own | Programs = NO_OPTIONS, draws: int = _DRAWS, seed: int = 0
) -> list[dict[str, float]]:
    """The metrics of ``draws`` samples of G of the G groups, drawn with replacement.

    A metric is left out whose sums are not of the same few numbers in each group, such as one for each series.

    Args:
        groups: the sums of each group (see `unrolled.metrics.scoring.added`).
        own: the options of the metrics, or those metrics that are asked for.
        draws: D ≥ 2.
        seed: the same seed draws the same groups, so that two models can be compared draw by draw.

    Cost: O(D G) for each number of a sum.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993. https://doi.org/10.1201/9780429246593

    Example:
        >>> groups = [{"accuracy: accuracy": torch.tensor(n), "accuracy: accuracy /": torch.tensor(2)} for n in (1, 2)]
        >>> [round(draw["accuracy"], 2) for draw in redrawn(groups, draws=4)]
        [0.75, 0.75, 1.0, 1.0]
    """
    random = np.random.default_rng(seed)
    times = torch.from_numpy(random.multinomial(len(groups), [1 / len(groups)] * len(groups), draws).astype(np.float64))
    shapes: dict[str, set[torch.Size]] = {}
    for name, value in ((name, value) for group in groups for name, value in group.items()):
        shapes.setdefault(name, set()).add(value.shape)
    odd = {metric_of(name) for name, found in shapes.items() if len(found) > 1 or next(iter(found)).numel() > _MOST}
    known = programs(own)
    names = [name for name in shapes if metric_of(name) in known and metric_of(name) not in odd]
    drawn = {name: torch.tensordot(times, _stacked(groups, name), 1) for name in names}
    return [values({name: total[draw] for name, total in drawn.items()}, known) for draw in range(draws)]


def _stacked(groups: Sequence[Sums], name: str) -> torch.Tensor:
    """(G, …) float64; zeros where a group has no such sum."""
    like = next(group[name] for group in groups if name in group)
    return torch.stack([(group[name] if name in group else torch.zeros_like(like)).cpu().double() for group in groups])


def standard_error(measure: str, ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> float:
    """The standard error of the difference of two models in one measure, from paired draws; NaN if it is unknown."""
    pairs = [(a[measure], b[measure]) for a, b in zip(ours, theirs, strict=True) if measure in a and measure in b]
    if len(pairs) < 2 or math.isnan(cost(measure, 0.0)):
        return math.nan
    return float(np.std([a - b for a, b in pairs], ddof=1))


def interval(measure: str, draws: Sequence[Mapping[str, float]], share: float = 0.95) -> tuple[float, float] | None:
    """The interval that holds the middle ``share`` of the draws; ``None`` if the measure is in none of them."""
    found = [draw[measure] for draw in draws if measure in draw]
    if not found:
        return None
    low, high = np.quantile(found, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
