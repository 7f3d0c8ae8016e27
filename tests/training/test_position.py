"""Where a training is: read from what earlier versions saved too."""

from __future__ import annotations

import math

import pytest

from unrolled.training.position import Progress


@pytest.mark.parametrize(
    ("metric", "saved", "best"),
    [
        ("loss_nats_per_token", 1.5, 1.5),
        ("loss_nats_per_token", None, math.inf),
        ("loss_nats_per_token", -0.07, math.inf),  # of a run over items, whose NDCG chose the weights
        ("chrf", -40.0, -40.0),
        ("chrf", 0.3, math.inf),  # the token error rate
    ],
)
def test_the_best_validation_of_an_earlier_version(metric: str, saved: float | None, best: float) -> None:
    assert Progress.from_meta({"step": 3, "best": saved}, metric).best == best
    progress = Progress(step=3, best=math.inf if saved is None else saved)
    assert Progress.from_meta(progress.to_meta(), metric).best == best
