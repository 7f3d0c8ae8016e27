"""Multi-head attention: against the textbook, its fast path, its chunks, what it keeps, its edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from recorded import recorded
from torch import Tensor

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.attention import view
from unrolled.layers.attention.multihead import CrossAttention, SelfAttention, first_heads
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.reference.attention import HeadWeights, multi_head
from unrolled.state import detach, select
from unrolled.watch import watching

B, T, W = 3, 9, 8
LENGTHS = torch.tensor([9, 4, 0])
WAYS: list[dict[str, Any]] = [
    {"heads": 2},
    {"heads": 4, "kv_heads": 2, "positions": "rotary"},
    {"heads": 4, "kv_heads": 1, "positions": "alibi", "attention_window": 3},
    {"heads": 1, "positions": "rotary", "attention_window": 1},
    {"heads": 2, "attention_window": 20, "positions": "alibi"},
]


def made(dtype: torch.dtype = torch.float64, **way: Any) -> tuple[SelfAttention, Tensor]:
    torch.manual_seed(0)
    return SelfAttention(W, **way).to(dtype), torch.randn(B, T, W, dtype=dtype)


def textbook_weights(layer: SelfAttention | CrossAttention) -> HeadWeights:
    if isinstance(layer, CrossAttention):
        W_Q, (W_K, W_V) = layer.queries.weight.T, layer.keys_values.weight.T.chunk(2, 1)
    else:
        narrow = layer.kv_heads * layer.head_width
        W_Q, W_K, W_V = layer.queries_keys_values.weight.T.split([W, narrow, narrow], 1)
    return HeadWeights(*(part.detach().numpy() for part in (W_Q, W_K, W_V, layer.out.weight.T)))


def visible(causal: bool, window: int | None, size: int) -> np.ndarray:
    distance = np.arange(size)[:, None] - np.arange(size)[None, :]
    return (distance >= 0 if causal else distance == distance) & (np.abs(distance) <= (window or size))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_textbook_s(way: dict[str, Any], causal: bool) -> None:
    layer, x = made(causal=causal, **way)
    with torch.no_grad():
        y, _ = layer(x, LENGTHS)
        (looked, _), shown = recorded(layer, x, LENGTHS)
    weights = shown["attention"].transpose(1, 2)
    for row, length in enumerate(LENGTHS.tolist()):
        X = x[row, :length].numpy()
        allowed = visible(causal, way.get("attention_window"), length)
        expected = (np.zeros((0, W)), np.zeros((layer.heads, 0, 0)))
        if length:
            expected = multi_head(X, X, textbook_weights(layer), layer.heads, allowed, way.get("positions", "none"))
        np.testing.assert_allclose(y[row, :length].numpy(), expected[0], atol=1e-9)
        np.testing.assert_allclose(looked[row, :length].numpy(), expected[0], atol=1e-9)
        np.testing.assert_allclose(weights[row, :, :length, :length].numpy(), expected[1], atol=1e-9)
        assert not y[row, length:].any()
        assert not weights[row, :, :length, length:].any()


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_watched_or_not_it_is_the_same(way: dict[str, Any]) -> None:
    """From the beginning and from a state, with rows of one length and of several."""
    for causal in (True, False):
        layer, x = made(torch.float32, causal=causal, **way)
        states = [None]
        if causal:
            states += [layer(x)[1], layer(x, torch.tensor([2, 9, 0]))[1]]
        for state in states:
            for lengths in (None, LENGTHS):
                (slow, _), shown = recorded(layer, x, lengths, state)
                torch.testing.assert_close(layer(x, lengths, state)[0], slow, atol=1e-6, rtol=0)
                sums = shown["attention"].sum(-1)  # (B, T, H)
                torch.testing.assert_close(sums, torch.ones_like(sums), atol=1e-5, rtol=0)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_chunks_of_every_kind(way: dict[str, Any]) -> None:
    """Of no step, of one, of several, with rows that end, wait and go on."""
    layer, x = made(**way)
    lengths = [[3, 0, 1], [0, 0, 0], [1, 2, 0], [4, 1, 4], [0, 2, 1]]
    state, taken, found = None, [0, 0, 0], [[], [], []]  # type: ignore[var-annotated]
    with torch.no_grad():
        for chunk in lengths:
            steps = max(chunk)
            part = torch.full((B, steps, W), math.nan, dtype=x.dtype)
            for row, length in enumerate(chunk):
                part[row, :length] = x[row, taken[row] : taken[row] + length]
                taken[row] += length
            y, state = layer(part, torch.tensor(chunk), state)
            for row, length in enumerate(chunk):
                found[row].append(y[row, :length])
            assert state.steps.tolist() == taken
            kept = [min(n, way.get("attention_window", 99)) for n in taken]
            assert state.keys.shape[1] == max(kept)
            for row, count in enumerate(kept):
                assert state.keys[row, :count].all(-1).all()
                assert not state.keys[row, count:].any()
                assert not state.values[row, count:].any()
        for row, count in enumerate(taken):
            whole, end = layer(x[row : row + 1, :count])
            torch.testing.assert_close(torch.cat(found[row]), whole[0], atol=1e-12, rtol=0)
            torch.testing.assert_close(state.keys[row, : end.keys.shape[1]], end.keys[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_in_blocks_it_is_the_same(way: dict[str, Any], causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = made(causal=causal, **way)
    states = [None, layer(x)[1], layer(x, torch.tensor([2, 9, 0]))[1]] if causal else [None]
    for state in states:
        for lengths in (None, LENGTHS):
            expected = layer(x, lengths, state)[0]
            with monkeypatch.context() as patch:
                patch.setattr(view, "_LARGEST", 40)
                patch.setattr(view, "_SMALLEST", 2)
                torch.testing.assert_close(layer(x, lengths, state)[0], expected, atol=1e-12, rtol=0)


def test_fewer_key_heads_are_the_same_ones_repeated() -> None:
    shared, x = made(heads=4, kv_heads=2, positions="rotary")
    full = SelfAttention(W, 4, positions="rotary").double()
    q, k, v = shared.queries_keys_values.weight.split([8, 4, 4])
    repeated = [part.view(2, 2, W).repeat_interleave(2, 0).view(8, W) for part in (k, v)]
    full.load_state_dict({"queries_keys_values.weight": torch.cat([q, *repeated]), "out.weight": shared.out.weight})
    torch.testing.assert_close(shared(x)[0], full(x)[0], atol=1e-12, rtol=0)
    assert shared(x)[1].keys.numel() * 2 == full(x)[1].keys.numel()


def test_with_an_attention_window_the_state_stays_small_and_the_past_is_forgotten() -> None:
    layer, x = made(heads=2, attention_window=3, positions="rotary")
    _, state = layer(x)
    for _ in range(3):
        _, state = layer(x, None, state)
        assert state.keys.shape == (B, 3, 2, 4)
    other = torch.cat([x[:, :5] + 1, x[:, 5:]], 1)
    torch.testing.assert_close(layer(other)[0][:, 8], layer(x)[0][:, 8])
    assert not torch.allclose(layer(other)[0][:, 7], layer(x)[0][:, 7])


def test_a_state_is_never_written_to_and_its_rows_can_be_chosen() -> None:
    layer, x = made(heads=2, positions="alibi")
    _, before = layer(x, torch.tensor([5, 9, 0]))
    copy = [part.clone() for part in before]
    y, after = layer(x, None, before)
    assert all(torch.equal(a, b) for a, b in zip(before, copy, strict=True))
    order = torch.tensor([2, 1, 1, 0])
    chosen, end = layer(x[order], None, select(before, order))
    torch.testing.assert_close(chosen, y[order], atol=1e-12, rtol=0)
    torch.testing.assert_close(end.keys, after.keys[order], atol=1e-12, rtol=0)


@pytest.mark.parametrize("junk", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_lies_behind_a_mask_does_not_leak(way: dict[str, Any], junk: float) -> None:
    for causal in (True, False):
        layer, x = made(torch.float32, causal=causal, **way)
        before = detach(layer(x, torch.tensor([2, 0, 5]))[1]) if causal else None
        padded = (torch.arange(T) >= LENGTHS[:, None])[..., None]

        def run(
            number: float, layer: SelfAttention, x: Tensor, state: Any, watched: bool, padded: Tensor
        ) -> list[Tensor]:
            x = x.masked_fill(padded, number).requires_grad_()
            with watching(Recorder(layer) if watched else None):
                y, after = layer(x, LENGTHS, state)
            loss = y.square().sum() + (0 if after is None else after.keys.sum() + after.values.square().sum())
            return [y, *torch.autograd.grad(loss, [x, *layer.parameters()])]

        for watched in (False, True):
            clean = run(0.0, layer, x, before, watched, padded)
            for found, expected in zip(run(junk, layer, x, before, watched, padded), clean, strict=True):
                assert torch.equal(found, expected)
                assert found.isfinite().all()


# --- to a memory -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_cross_attention_is_the_textbook_s(kv_heads: int) -> None:
    torch.manual_seed(1)
    layer = CrossAttention(W, 5, 4, kv_heads).double()
    x, memory, lengths = torch.randn(B, T, W).double(), torch.randn(B, 6, 5).double(), torch.tensor([6, 2, 0])
    with torch.no_grad():
        fast, (slow, shown) = layer(x, memory, lengths), recorded(layer, x, memory, lengths)
        full = layer(x, memory)
    for row, length in enumerate(lengths.tolist()):
        X, M = x[row].numpy(), memory[row].numpy()
        allowed = np.tile(np.arange(6) < length, (T, 1))
        y, weights = multi_head(X, M, textbook_weights(layer), 4, allowed)
        for found in (fast, slow):
            np.testing.assert_allclose(found[row].numpy(), y, atol=1e-9)
        np.testing.assert_allclose(shown["attention"][row].transpose(0, 1).numpy(), weights, atol=1e-9)
        y, _ = multi_head(X, M, textbook_weights(layer), 4, np.ones((T, 6), bool))
        np.testing.assert_allclose(full[row].numpy(), y, atol=1e-9)
    assert not fast[2].any()
    assert not layer(x, memory[:, :0]).any()


@pytest.mark.parametrize("junk", [math.nan, 1e30])
def test_junk_in_a_memory_s_padding_does_not_leak(junk: float) -> None:
    layer, lengths = CrossAttention(W, 5, 4, 2), torch.tensor([6, 2, 0])
    x, rows = torch.randn(B, T, W), torch.randn(B, 6, 5)

    def run(number: float, watched: bool) -> list[Tensor]:
        memory = rows.masked_fill((torch.arange(6) >= lengths[:, None])[..., None], number).requires_grad_()
        with watching(Recorder(layer) if watched else None):
            y = layer(x, memory, lengths)
        return [y, *torch.autograd.grad(y.square().sum(), [memory, *layer.parameters()])]

    for watched in (False, True):
        for found, expected in zip(run(junk, watched), run(0.0, watched), strict=True):
            assert torch.equal(found, expected)
            assert found.isfinite().all()


# --- what does not fit -------------------------------------------------------------------------------------------


def test_heads_that_do_not_divide_are_answered_with_those_that_do() -> None:
    with pytest.raises(UsageError, match="heads = 5 does not divide the hidden size 64: choose 4 or 8"):
        SelfAttention(64, 5)
    with pytest.raises(UsageError, match="heads = 99 does not divide the hidden size 64: choose 64$"):
        SelfAttention(64, 99)
    with pytest.raises(UsageError, match="kv_heads = 3 does not divide 8 heads: choose 2 or 4"):
        CrossAttention(64, 3, 8, 3)
    with pytest.raises(UsageError, match="heads = 0 does not divide the hidden size 7: choose 1$"):
        SelfAttention(7, 0)
    assert [first_heads(width, None, None)[0] for width in (1, 31, 64, 96, 128, 200, 512)] == [1, 1, 2, 3, 4, 5, 16]


def test_numbers_and_names_out_of_range() -> None:
    with pytest.raises(UsageError, match="attention_window must be at least 1, got 0"):
        SelfAttention(8, attention_window=0)
    with pytest.raises(UsageError, match="positions must be 'rotary', 'alibi' or 'none', got 'learned'"):
        SelfAttention(8, positions="learned")
    with pytest.raises(UsageError, match="memory_size must be at least 1, got 0"):
        CrossAttention(8, 0)
    with pytest.raises(UsageError, match="hidden_size must be at least 1, got 0"):
        SelfAttention(0)


def test_a_state_of_something_else_is_refused() -> None:
    layer, x = made(torch.float32, heads=2)
    for other, message in (
        (
            SelfAttention(W, 4),
            r"state.keys is \(3, 9, 4, 2\) torch.float32 on cpu, expected \(3, N, 2, 4\) torch.float32",
        ),
        (SelfAttention(W, 2, 1), r"state.keys is \(3, 9, 1, 4\) .* expected \(3, N, 2, 4\)"),
        (
            SelfAttention(W, 2, attention_window=3),
            r"state.keys is \(3, 3, 2, 4\) .*, N at least 9",
        ),
    ):
        with pytest.raises(ShapeError, match=message):
            layer(x, None, other(x)[1])
    _, state = layer(x)
    with pytest.raises(ShapeError, match=r"SelfAttention: state.steps is \(3,\) torch.int64 on cpu, expected \(2,\)"):
        layer(x[:2], None, state)
    with pytest.raises(ShapeError, match=r"state.values is \(3, 8, 2, 4\)"):
        layer(x, None, state._replace(values=state.values[:, 1:]))
    with pytest.raises(ShapeError, match=r"state.keys is \(3, 9, 2, 4\) torch.float64"):
        layer(x, None, state._replace(keys=state.keys.double()))
    with pytest.raises(ShapeError, match=r"state.keys is \(3, 9, 2, 4\)"):
        layer(x, None, state._replace(steps=state.steps - 10))
    with pytest.raises(ShapeError, match="state is tuple, expected KVCache"):
        layer(x, None, (state.keys, state.values))
    seer = SelfAttention(W, 2, causal=False)
    with pytest.raises(UsageError, match="sees later steps, so it cannot continue from a state: give it whole rows"):
        seer(x, None, state)


def test_a_memory_that_does_not_fit_is_refused() -> None:
    layer, x = CrossAttention(W, 5), torch.zeros(2, 3, W)
    with pytest.raises(
        ShapeError, match=r"CrossAttention: memory: x has shape \(2, 4, 3\), expected \(B, S, I\) with I = 5"
    ):
        layer(x, torch.zeros(2, 4, 3))
    with pytest.raises(ShapeError, match="the memory has 1 rows and x has 2"):
        layer(x, torch.zeros(1, 4, 5))
    with pytest.raises(ShapeError, match=r"memory: lengths\[0\] is 5, expected 0 … 4"):
        layer(x, torch.zeros(2, 4, 5), torch.tensor([5, 1]))
