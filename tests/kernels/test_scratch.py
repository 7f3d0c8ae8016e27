"""The memory that kernels keep for their next calls is given back: when asked, and after training."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.kernels import library, scratch
from unrolled.layers import GRU, release_memory

pytestmark = pytest.mark.skipif(not library.available(), reason="no kernels")


def kept() -> int:
    return sum(len(buffer) for buffer in scratch._kept)


def test_what_is_kept_is_given_back_and_what_is_in_use_is_not() -> None:
    layer, x = GRU(64, 128, batch_first=True), torch.randn(32, 100, 64)
    y, _ = layer(x)
    before = y.detach().clone()
    y.sum().backward()
    gc.collect()
    size = kept()
    assert size >= 32 * 100 * 128 * 4 * 4  # what the backward pass of a GRU reads
    assert release_memory() == size
    assert kept() == 0
    assert torch.equal(y, before)
    assert torch.equal(layer(x)[0], before)


def test_after_training_nothing_is_kept(tmp_path: Path) -> None:
    scratch._keep(scratch._fitting(1 << 21))
    rows = {"x": [[float(n), n / 2] * 4 for n in range(40)], "y": ["a", "b"] * 20}
    unrolled.fit(rows, target="y", model="gru", steps=2, hidden=8, out=tmp_path / "run")
    assert kept() == 0
