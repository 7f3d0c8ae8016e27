"""Pooling: whole rows, chunks and single steps agree; padding and empty rows are harmless."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.pooling import Pooling
from unrolled.layers.recurrent import Recurrent

Kind = Literal["last", "mean", "max"]
KINDS: list[Any] = ["last", "mean", "max"]
LENGTHS = torch.tensor([6, 2, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_definition_and_nan_beyond(kind: Kind) -> None:
    y = torch.randn(3, 6, 4) - 5  # all below 0: a padded 0 would win the maximum
    y[1, 2:] = float("nan")
    y[2] = float("nan")
    y.requires_grad_()
    pooled, _ = Pooling(kind)(y, LENGTHS)
    wanted = {"last": y[1, 1], "mean": y[1, :2].mean(0), "max": y[1, :2].amax(0)}[kind]
    torch.testing.assert_close(pooled[1], wanted)
    assert not pooled[2].any()
    (gradient,) = torch.autograd.grad(pooled.sum(), y)
    assert gradient.isfinite().all()
    assert not gradient[1, 2:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_steps_and_chunks_agree_with_the_whole(kind: Kind) -> None:
    pooling, y = Pooling(kind), torch.randn(3, 6, 4)
    whole, final = pooling(y, LENGTHS)
    state, begin = pooling.initial(3, y), 0
    for chunk in y.split([1, 0, 3, 2], 1):
        pooled, state = pooling(chunk, (LENGTHS - begin).clamp(0, chunk.shape[1]), state)
        begin += chunk.shape[1]
    torch.testing.assert_close(pooled, whole)
    torch.testing.assert_close(state.value, final.value)
    assert torch.equal(state.steps, LENGTHS)

    whole, _ = pooling(y)
    state = pooling.initial(3, y)
    for t in range(6):
        pooled, state = pooling.step(y[:, t], state)
        torch.testing.assert_close(pooled, pooling(y[:, : t + 1])[0])
    torch.testing.assert_close(pooled, whole)


def test_the_last_of_both_directions_is_what_has_seen_the_whole_row() -> None:
    layer = Recurrent(3, 4, "gru", bidirectional=True)
    y, ((forward, backward),) = layer(torch.randn(3, 6, 3), LENGTHS)
    pooled, _ = Pooling("last", bidirectional=True)(y, LENGTHS)
    assert torch.equal(pooled, torch.cat([forward.h, backward.h], 1))


def test_no_steps_at_all() -> None:
    pooled, state = Pooling("max")(torch.zeros(2, 0, 3))
    assert pooled.tolist() == [[0.0] * 3] * 2
    assert state.steps.tolist() == [0, 0]


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UsageError, match=r"unknown pooling 'lsat'. Did you mean 'last'\?"):
        Pooling("lsat")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"Pooling: y has shape \(2, 3\), expected \(B, T, H\)"):
        Pooling("mean")(torch.zeros(2, 3))
    both, y = Pooling("last", bidirectional=True), torch.zeros(1, 2, 4)
    with pytest.raises(
        UsageError, match="a bidirectional layer needs whole rows, so its pooling cannot continue from a state"
    ):
        both(y, None, both.initial(1, y))
