"""Attention of queries to a memory: against the textbook, its two paths, its padding, its edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from recorded import recorded
from torch import Tensor

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.attention.attention import Attention
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.reference.attention import attend, score
from unrolled.watch import watching

KINDS = ["additive", "dot", "scaled_dot", "cosine"]
B, U, S, Q, M, K = 3, 4, 6, 5, 3, 7
LENGTHS = torch.tensor([6, 2, 0])


def made(kind: Any, coverage: bool = False, dtype: torch.dtype = torch.float64) -> tuple[Attention, Tensor, Tensor]:
    torch.manual_seed(0)
    layer = Attention(Q, M, kind, hidden=K, coverage=coverage).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return layer, torch.randn(B, U, Q, dtype=dtype), torch.randn(B, S, M, dtype=dtype)


def textbook(layer: Attention, query: Tensor, memory: Tensor, lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Row by row and query by query, with what was covered before."""
    named = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    contexts, weights = np.zeros((B, U, M)), np.zeros((B, U, S))
    for row, length in enumerate(lengths):
        m, covered = memory[row, :length].numpy(), np.zeros(length)
        for u in range(U):
            q = named["queries.weight"] @ query[row, u].numpy() + named.get("queries.bias", 0)
            E = np.zeros((1, length))
            for s in range(length):
                k, w_c = named["keys.weight"] @ m[s], named.get("coverage", np.zeros(1)) * covered[s]
                g = named.get("sharpness", [1.0])[0]
                inside = layer.kind == "additive"
                E[0, s] = score(layer.kind, q + w_c if inside else q, k, named.get("score"), g)
                E[0, s] += 0 if inside else w_c[0]
            C, A = attend(E, m)
            contexts[row, u], weights[row, u, :length] = C[0], A[0]
            covered = covered + A[0]
    return contexts, weights


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_textbook_s(kind: str, coverage: bool) -> None:
    layer, query, memory = made(kind, coverage)
    with torch.no_grad():
        context, shown = recorded(layer, query, memory, LENGTHS)
        alone = layer(query, memory, LENGTHS)
    expected = textbook(layer, query, memory, LENGTHS.tolist())
    np.testing.assert_allclose(context.numpy(), expected[0], atol=1e-9)
    np.testing.assert_allclose(shown["attention"].numpy(), expected[1], atol=1e-9)
    np.testing.assert_allclose(alone.numpy(), expected[0], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_watched_or_not_it_is_the_same(kind: str) -> None:
    layer, query, memory = made(kind, dtype=torch.float32)
    for lengths in (None, LENGTHS):
        fast, (slow, _) = layer(query, memory, lengths), recorded(layer, query, memory, lengths)
        torch.testing.assert_close(fast, slow, atol=1e-6, rtol=0)


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_query_by_query_with_keys_made_once(kind: str, coverage: bool) -> None:
    layer, query, memory = made(kind, coverage)
    whole, after = layer.attend(query, layer.project(memory, LENGTHS))
    projected, covered, contexts = layer.project(memory, LENGTHS), None, []
    for u in range(U):
        context, covered = layer.attend(query[:, u : u + 1], projected, covered)
        contexts.append(context)
    torch.testing.assert_close(torch.cat(contexts, 1), whole, atol=1e-12, rtol=0)
    assert (covered is not None) == coverage
    if covered is not None:
        torch.testing.assert_close(covered, after, atol=1e-12, rtol=0)
        torch.testing.assert_close(covered.sum(1), torch.tensor([4.0, 4, 0], dtype=torch.float64))


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("junk", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_behind_a_mask_does_not_leak(kind: str, junk: float, coverage: bool, watched: bool) -> None:
    layer, query, memory = made(kind, coverage, torch.float32)
    of_queries = torch.tensor([4, 3, 1])

    def run(number: float) -> list[Tensor]:
        q = query.masked_fill((torch.arange(U) >= of_queries[:, None])[..., None], number).requires_grad_()
        m = memory.masked_fill((torch.arange(S) >= LENGTHS[:, None])[..., None], number).requires_grad_()
        with watching(Recorder(layer) if watched else None):
            found = layer.attend(q, layer.project(m, LENGTHS), None, of_queries)
        parts = [part for part in found if part is not None]
        loss = torch.stack([(part * torch.linspace(-1, 1, part.numel()).view_as(part)).sum() for part in parts]).sum()
        grads = torch.autograd.grad(loss, [q, m, *layer.parameters()], materialize_grads=True, allow_unused=True)
        return [*parts, *grads]

    for found, expected in zip(run(junk), run(0.0), strict=True):
        assert torch.equal(found, expected)
        assert found.isfinite().all()


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind: str, coverage: bool) -> None:
    layer, query, memory = made(kind, coverage)
    names = [name for name, _ in layer.named_parameters()]

    def run(q: Tensor, m: Tensor, *values: Tensor) -> Tensor:
        weights = dict(zip(names, values, strict=True))
        return torch.func.functional_call(layer, weights, (q, m, LENGTHS))

    inputs = (query.requires_grad_(), memory.requires_grad_(), *layer.parameters())
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)


def test_a_memory_without_a_step_gives_zeros() -> None:
    for kind in KINDS:
        for coverage in (False, True):
            layer, query, memory = made(kind, coverage)
            context, shown = recorded(layer, query, memory[:, :0])
            assert context.shape == (B, U, M)
            assert not context.any()
            assert not shown
            assert layer(query[:, :0], memory, LENGTHS).shape == (B, 0, M)
            context, shown = recorded(layer, query, memory, LENGTHS)
            weights = shown["attention"]
            assert not context[2].any()
            assert not weights[2].any()
            assert weights[:2].sum(2).allclose(torch.ones(2, U, dtype=torch.float64))


def test_at_first_coverage_changes_nothing_and_then_it_does() -> None:
    torch.manual_seed(0)
    plain, counting = Attention(Q, M, "additive"), Attention(Q, M, "additive", coverage=True)
    assert counting.coverage is not None
    counting.load_state_dict({**plain.state_dict(), "coverage": counting.coverage})
    query, memory = torch.randn(1, U, Q), torch.randn(1, S, M)
    torch.testing.assert_close(plain(query, memory), counting(query, memory))
    torch.nn.init.constant_(counting.coverage, -5)
    assert not torch.allclose(plain(query, memory)[:, 1:], counting(query, memory)[:, 1:])
    assert torch.allclose(plain(query, memory)[:, 0], counting(query, memory)[:, 0])


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UsageError, match=r"unknown attention 'adittive'. Did you mean 'additive'\?"):
        Attention(2, 3, "adittive")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Attention: hidden must be at least 1, got 0"):
        Attention(2, 3, hidden=0)
    layer = Attention(2, 3)
    query, memory = torch.zeros(2, 1, 2), torch.zeros(2, 4, 3)
    with pytest.raises(
        ShapeError, match=r"Attention: memory: x has shape \(2, 4, 2\), expected \(B, S, I\) with I = 3"
    ):
        layer(query, memory[..., :2])
    with pytest.raises(ShapeError, match=r"Attention: query: x has shape \(2, 1, 3\), expected \(B, U, I\) with I = 2"):
        layer(torch.zeros(2, 1, 3), memory)
    with pytest.raises(ShapeError, match="the memory has 1 rows and the query has 2"):
        layer(query, memory[:1])
    with pytest.raises(
        ShapeError, match=r"covered has shape \(2, 4\), expected None, as this attention has no coverage"
    ):
        layer.attend(query, layer.project(memory), torch.zeros(2, 4))
    counting = Attention(2, 3, coverage=True)
    with pytest.raises(ShapeError, match=r"covered has shape \(2, 3\), expected \(2, 4\)"):
        counting.attend(query, counting.project(memory), torch.zeros(2, 3))
