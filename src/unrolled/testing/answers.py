"""Sample answers of every kind that metrics score.

Axes: N questions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from unrolled.metrics._iob2 import IOB2
from unrolled.metrics.judged import (
    ChosenLabels,
    ChosenSets,
    ChosenTags,
    ChosenTokens,
    CodeLength,
    Forecasts,
    Gaussians,
    Intervals,
    Nats,
    NextValues,
    Points,
    Quantiles,
    Ranks,
    Seasonal,
    TokenSequences,
    Transcripts,
    Translations,
    Values,
)

__all__ = ["JUDGED", "Judged", "N"]

N = 40
_TAGS = IOB2.of(["B-x", "I-x", "O"])
_LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Judged:
    """A kind of judged answers.

    Attributes:
        drawn: makes N random answers.
        part: the answers from ``a`` to ``b``.
        perfect: perfect answers to the same questions.
    """

    drawn: Callable[[], Any]
    part: Callable[[Any, int, int], Any]
    perfect: Callable[[Any], Any]


def _numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


def _gaps(right: torch.Tensor) -> torch.Tensor:
    return right.masked_fill(torch.rand(right.shape) < 0.2, torch.nan)


def _cut(*names: str) -> Callable[[Any, int, int], Any]:
    return lambda judged, a, b: replace(judged, **{name: getattr(judged, name)[a:b] for name in names})


def _share(*names: str) -> Callable[[Any, int, int], Any]:
    """For answers that are sums already: the share of the part."""
    return lambda judged, a, b: replace(judged, **{name: getattr(judged, name) * (b - a) / N for name in names})


def _right(name: str) -> Callable[[Any], Any]:
    return lambda judged: replace(judged, **{name: judged.right})


def _rows() -> list[list[int]]:
    return [torch.randint(0, 3, (int(size),)).tolist() for size in torch.randint(1, 6, (N,))]


def _texts() -> list[str]:
    return [" ".join("abcdefg"[k] for k in torch.randint(0, 7, (int(size),))) for size in torch.randint(4, 9, (N,))]


def _tags() -> ChosenTags:
    assert _TAGS is not None
    first = torch.arange(N) % 10 == 0  # so that rows end where batches do
    return ChosenTags(torch.randint(0, 3, (N,)), torch.randint(0, 3, (N,)), first, _TAGS)


_NAIVE = torch.tensor([[0.5, torch.nan], [2.0, 3.0]], dtype=torch.float64)
JUDGED: dict[type, Judged] = {
    Nats: Judged(
        lambda: Nats("loss_nats_per_label", _numbers().abs(), torch.tensor(float(N))),
        _share("total", "count"),
        lambda judged: replace(judged, total=torch.tensor(0.0)),
    ),
    CodeLength: Judged(
        lambda: CodeLength(_numbers().abs(), torch.tensor(float(N)), "token"),
        _share("nats", "count"),
        lambda judged: replace(judged, nats=torch.tensor(0.0)),
    ),
    ChosenLabels: Judged(
        lambda: ChosenLabels(torch.randint(0, 4, (N,)), torch.randint(0, 4, (N,)), 5),
        _cut("chosen", "right"),
        _right("chosen"),
    ),
    ChosenTokens: Judged(
        lambda: ChosenTokens(torch.randint(0, 4, (N,)), torch.randint(0, 4, (N,))),
        _cut("chosen", "right"),
        _right("chosen"),
    ),
    ChosenSets: Judged(
        lambda: ChosenSets(torch.rand(N, 4) < 0.4, torch.rand(N, 4) < 0.4), _cut("chosen", "right"), _right("chosen")
    ),
    ChosenTags: Judged(_tags, _cut("chosen", "right", "first"), _right("chosen")),
    Values: Judged(lambda: Values(_numbers(N), _gaps(_numbers(N)), 3.0), _cut("answer", "right"), _right("answer")),
    NextValues: Judged(
        lambda: NextValues(_numbers(N, 2), _gaps(_numbers(N, 2))), _cut("answer", "right"), _right("answer")
    ),
    Forecasts: Judged(
        lambda: Forecasts(_numbers(N, 3, 2), _gaps(_numbers(N, 3, 2)), _numbers(2), _numbers(2).abs()),
        _cut("answer", "right"),
        _right("answer"),
    ),
    Seasonal: Judged(
        lambda: Seasonal(_numbers(N, 3, 2), _gaps(_numbers(N, 3, 2)), torch.randint(0, 2, (N,)), _NAIVE),
        _cut("answer", "right", "series"),
        _right("answer"),
    ),
    Points: Judged(lambda: Points(_numbers(N, 2), _gaps(_numbers(N, 2))), _cut("answer", "right"), _right("answer")),
    Gaussians: Judged(
        lambda: Gaussians(_numbers(N, 2), _numbers(N, 2).exp(), _gaps(_numbers(N, 2))),
        _cut("mean", "sigma", "right"),
        lambda judged: replace(judged, mean=judged.right, sigma=torch.full_like(judged.sigma, 1e-12)),
    ),
    Quantiles: Judged(
        lambda: Quantiles(_LEVELS, _numbers(N, 2, 3).sort(-1).values, _gaps(_numbers(N, 2))),
        _cut("values", "right"),
        lambda judged: replace(judged, values=judged.right[..., None].expand_as(judged.values)),
    ),
    Intervals: Judged(
        lambda: Intervals(_numbers(N) - 1, _numbers(N) + 1, _gaps(_numbers(N)), 0.7),
        _cut("low", "high", "right"),
        lambda judged: replace(judged, low=judged.right, high=judged.right),
    ),
    TokenSequences: Judged(lambda: TokenSequences(_rows(), _rows()), _cut("written", "right"), _right("written")),
    Translations: Judged(lambda: Translations(_texts(), _texts()), _cut("written", "right"), _right("written")),
    Transcripts: Judged(lambda: Transcripts(_texts(), _texts()), _cut("written", "right"), _right("written")),
    Ranks: Judged(
        lambda: Ranks(torch.randint(1, 30, (N,)), sampled=bool(torch.rand(()) < 0.5)),
        _cut("places"),
        lambda judged: replace(judged, places=torch.ones(N)),
    ),
}
