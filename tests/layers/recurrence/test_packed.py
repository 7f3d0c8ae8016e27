"""Packed sequences: rows that are all equally long are an ordinary batch, of which nothing is copied."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from unrolled import layers
from unrolled.layers.recurrence.packed import unpack

X = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
ORDER = torch.tensor([2, 0, 1])  # torch sorts equal lengths in an order of its own; any order is allowed


def equally_long(x: Tensor) -> PackedSequence:
    data = x[ORDER].transpose(0, 1).reshape(-1, x.shape[2])
    return PackedSequence(data, torch.full((x.shape[1],), len(x)), ORDER, ORDER.argsort())


def unpacked(source: PackedSequence) -> Any:
    return unpack(source, 5, torch.zeros(1), "test")


def test_of_rows_that_are_equally_long_nothing_is_copied() -> None:
    source = equally_long(X)
    packed = unpacked(source)
    assert packed.lengths is None
    assert packed.x.data_ptr() == source.data.data_ptr()
    assert torch.equal(packed.x, X[ORDER])
    assert packed.data(packed.x).data_ptr() == source.data.data_ptr()
    assert torch.equal(packed.pad(source.data), packed.x)


def test_of_rows_of_many_lengths_each_vector_has_its_place() -> None:
    source = pack_padded_sequence(X, torch.tensor([2, 4, 1]), batch_first=True, enforce_sorted=False)
    packed = unpacked(source)
    assert packed.lengths.tolist() == [4, 2, 1]
    assert torch.equal(packed.x[1, :2], X[0, :2])
    assert not packed.x[1, 2:].any()
    assert torch.equal(packed.data(packed.x), source.data)
    assert torch.equal(packed.pad(source.data), packed.x)


@pytest.mark.parametrize("rows", [3, 70])  # of 70 rows, torch's own loop trains an LSTM
@pytest.mark.parametrize("settings", [{"batch_first": True}, {"num_layers": 2, "bidirectional": True, "dropout": 0.5}])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_equally_long_rows_as_torch_computes_them(name: str, settings: dict[str, Any], rows: int) -> None:
    theirs = getattr(nn, name)(5, 7, **settings)
    ours = getattr(layers, name)(5, 7, **settings)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(rows, 4, 5)
    order = torch.randperm(rows)
    part = torch.randn((2 if "dropout" in settings else 1) * settings.get("num_layers", 1), rows, 7)
    results = []
    for layer in (ours, theirs):
        torch.manual_seed(1)  # dropout has the same random numbers
        leaf = x[order].transpose(0, 1).reshape(-1, 5).requires_grad_()
        given = PackedSequence(leaf, torch.full((4,), rows), order, order.argsort())
        y, state = layer(given, (part, part) if name == "LSTM" else part)
        state = state if isinstance(state, tuple) else (state,)
        loss = y.data.pow(2).sum() + sum((one * torch.arange(rows).view(1, -1, 1)).sum() for one in state) / rows
        results.append([y.data, *state, *torch.autograd.grad(loss, [leaf, *layer.parameters()])])
    for mine, other in zip(*results, strict=True):
        limit = 1e-5 * max(1.0, other.abs().max().item())
        torch.testing.assert_close(mine, other, atol=limit, rtol=0)
