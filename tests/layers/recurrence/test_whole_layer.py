"""Where torch's own loop is the faster one, the layer gives torch's numbers to the bit, and our errors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from unrolled.errors import ShapeError
from unrolled.kernels.library import loaded
from unrolled.layers import GRU, LSTM, RNN
from unrolled.layers.recurrence.whole_layer import run_whole

THEIRS = {RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}


def pair(kind: type, **options: object) -> tuple[nn.Module, nn.Module]:
    ours = kind(5, 7, **options)
    theirs = THEIRS[kind](5, 7, **options)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def parts(state: object) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else list(state)  # type: ignore[call-overload]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("kind", THEIRS)
def test_one_step_is_torchs_to_the_bit(kind: type, with_state: bool, batch_first: bool) -> None:
    options = {"num_layers": 2, "bidirectional": True, "batch_first": batch_first, "dtype": torch.float64}
    ours, theirs = pair(kind, **options)
    x = torch.randn(3, 1, 5, dtype=torch.float64) if batch_first else torch.randn(1, 3, 5, dtype=torch.float64)
    before = torch.randn(4, 3, 7, dtype=torch.float64)
    state = None if not with_state else (before, before.cos()) if kind is LSTM else before
    (y, after), (wanted, last) = ours(x, state), theirs(x, state)
    assert torch.equal(y, wanted)
    assert all(map(torch.equal, parts(after), parts(last)))
    y.sum().backward()
    wanted.sum().backward()
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine.grad, its.grad)  # type: ignore[arg-type]


def test_weights_changed_behind_torchs_back_are_seen() -> None:
    ours, theirs = pair(GRU)
    x = torch.randn(1, 2, 5)
    ours(x)
    for layer in (ours, theirs):
        for weight in layer.parameters():
            weight.data.fill_(0.25)  # leaves the version counter as it is
    assert torch.equal(ours(x)[0], theirs(x)[0])


def test_computed_weights_are_used() -> None:
    ours, theirs = pair(GRU)
    x = torch.randn(1, 2, 5)
    wanted = theirs(x)[0]
    normed = weight_norm(ours, "weight_hh_l0")
    torch.testing.assert_close(normed(x)[0], wanted)


@pytest.mark.skipif(loaded() is None, reason="no kernels are built")
def test_many_steps_recompute_and_lengths_stay_with_the_kernels() -> None:
    gru = GRU(5, 7, batch_first=True)
    assert run_whole(gru, torch.randn(3, 1, 5), None) is not None
    assert run_whole(gru, torch.randn(100, 1, 5), None) is None
    assert run_whole(GRU(5, 7, recompute=2), torch.randn(1, 3, 5), None) is None
    y, _ = gru(torch.full((2, 1, 5), float("nan")), lengths=[0, 0])
    assert torch.equal(y, torch.zeros(2, 1, 7))


@pytest.mark.parametrize("kind", THEIRS)
def test_errors_are_ours(kind: type) -> None:
    layer = kind(5, 7, dtype=torch.float64)
    with pytest.raises(ShapeError, match="has shape"):
        layer(torch.randn(1, 3, 4, dtype=torch.float64))
    with pytest.raises(ShapeError, match="float32"):
        layer(torch.randn(1, 3, 5))
    wrong = torch.zeros(1, 2, 7, dtype=torch.float64)
    with pytest.raises(ShapeError, match="h_0 is"):
        layer(torch.randn(1, 3, 5, dtype=torch.float64), (wrong, wrong) if kind is LSTM else wrong)
