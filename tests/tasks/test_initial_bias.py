from __future__ import annotations

import numpy as np
import pytest

from unrolled.batch import MISSING
from unrolled.tasks import _initial_bias


def test_symbols_are_counted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_initial_bias, "_AT_ONCE", 3)
    values = np.array([0, 2, MISSING, 2, 1, 5, 2, 0], np.int8)
    assert _initial_bias.counts_of(values, 4).tolist() == [2, 1, 3, 0, 0, 1]
    assert _initial_bias.counts_of(values[:0], 2).tolist() == [0, 0]
