"""What is allocated after many calls is what was after few: nothing is kept of a call that is over."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch

from unrolled.cells.cell import CELLS
from unrolled.errors import ShapeError
from unrolled.kernels import library
from unrolled.layers.recurrence.unroll import unroll


class Mallinfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _fields_: ClassVar = [(name, ctypes.c_size_t) for name in ["arena", "ordblks", "smblks", "hblks", "hblkhd"]]
    _fields_ += [(name, ctypes.c_size_t) for name in ["usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]]


MALLINFO = getattr(ctypes.CDLL(None), "mallinfo2", None)
pytestmark = [
    pytest.mark.skipif(not library.available(), reason="no kernels are built here"),
    pytest.mark.skipif(MALLINFO is None, reason="needs glibc 2.33, which counts what is allocated"),
]


def allocated() -> tuple[int, int]:
    """Bytes that malloc has given out, and blocks that Python has."""
    gc.collect()
    MALLINFO.restype = Mallinfo
    found = MALLINFO()
    return found.uordblks + found.hblkhd, sys.getallocatedblocks()


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
    before = allocated()
    for k in range(calls):
        call(k)
    # A call that kept one block would be seen; the smallest that malloc gives out has 32 bytes.
    for found, first, smallest in zip(allocated(), before, (32, 1), strict=True):
        assert found - first < calls * smallest // 4
