"""Edits against the plain table, one pair after the other."""

from __future__ import annotations

import numpy as np
import pytest

from unrolled.errors import ShapeError
from unrolled.metrics._edit_distance import edit_distance


def plain_distance(p: list[int], y: list[int]) -> int:
    table = [[i + j if 0 in (i, j) else 0 for j in range(len(y) + 1)] for i in range(len(p) + 1)]
    for i in range(1, len(p) + 1):
        for j in range(1, len(y) + 1):
            replaced = table[i - 1][j - 1] + (p[i - 1] != y[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, replaced)
    return table[-1][-1]


@pytest.mark.parametrize("symbols", [1, 3, 50])
def test_edits_against_the_plain_table(symbols: int) -> None:
    random = np.random.default_rng(symbols)
    pairs = [[random.integers(0, symbols, random.integers(0, 14)).tolist() for _ in range(2)] for _ in range(1_500)]
    prediction, target = ([pair[n] for pair in pairs] for n in (0, 1))
    wanted = [plain_distance(p, y) for p, y in pairs]
    assert edit_distance(prediction, target).tolist() == wanted
    arrays = [np.array(row, np.uint8) for row in prediction]
    assert edit_distance(arrays, target).tolist() == wanted


def test_edits_by_hand() -> None:
    kitten, sitting = ([*map(ord, word)] for word in ("kitten", "sitting"))
    assert edit_distance([kitten, [], kitten, []], [sitting, sitting, [], []]).tolist() == [3, 7, 6, 0]
    assert edit_distance([], []).tolist() == []
    with pytest.raises(ShapeError, match="prediction has 1 sequences, but target has 2"):
        edit_distance([[1]], [[1], [2]])
