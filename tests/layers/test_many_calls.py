"""Memory after many calls is that after few: nothing is kept of a call that is over."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from unrolled.cells.cell import CELLS
from unrolled.errors import ShapeError
from unrolled.kernels import library
from unrolled.layers.unroll import unroll

STATM = Path("/proc/self/statm")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
pytestmark = [
    pytest.mark.skipif(not library.available(), reason="no kernels are built here"),
    pytest.mark.skipif(not STATM.exists(), reason="needs Linux's /proc"),
]


def resident() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    return int(STATM.read_text("ascii").split()[1]) * PAGE


@pytest.mark.soak
def test_a_hundred_thousand_calls_leave_nothing_behind(
    times: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)
    cells = [CELLS.get(name)(5, 9) for name in ("lstm", "gru", "rnn")]
    x, lengths, wrong = torch.randn(3, 8, 5, requires_grad=True), torch.tensor([8, 0, 5]), torch.tensor([8, 0, 9])

    def call(k: int) -> None:
        cell = cells[k % 3]
        y, _ = unroll(cell, x, lengths if k % 2 else None, recompute=3 if k % 5 == 0 else None)
        y.sum().backward()
        with torch.no_grad():
            unroll(cell, x, lengths)
        if k % 11 == 0:
            with pytest.raises(ShapeError):
                unroll(cell, x, wrong)

    calls = times(4_000, 100_000)
    for k in range(1_000):
        call(k)
    before = resident()
    for k in range(calls):
        call(k)
    assert resident() - before < 1 << 20  # ten bytes a call, of a hundred thousand
