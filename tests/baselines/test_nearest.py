"""What was answered to the most similar row."""

from __future__ import annotations

import numpy as np
from baselines.conftest import ragged

from unrolled.baselines.nearest import Nearest
from unrolled.batch import Continuous, Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.free import Free
from unrolled.data.forms.next import Next
from unrolled.data.forms.unaligned import Unaligned
from unrolled.metrics.scoring import scores


def rows(read: list[list[int]], asked: list[list[int]]) -> Examples:
    return Examples({"x": ragged(read)}, {"x": Discrete(9)}, ragged(asked), Discrete(9), Unaligned())


def test_the_row_that_shares_the_rarest_symbols_answers() -> None:
    """0 is in every row and weighs nothing; 3 is in one."""
    baseline = Nearest.fit(rows([[0, 1, 2], [0, 2, 3], [0, 1, 4]], [[5], [6], [7]]))
    assert scores(baseline.judge(rows([[0, 3]], [[6]])))["exact_match"] == 1.0
    assert scores(baseline.judge(rows([[4, 1]], [[7]])))["exact_match"] == 1.0


def test_order_tells_rows_with_the_same_symbols_apart() -> None:
    baseline = Nearest.fit(rows([[1, 2, 3], [3, 2, 1], [4]], [[5], [6], [7]]))
    assert scores(baseline.judge(rows([[1, 2, 3], [3, 2, 1]], [[5], [6]])))["exact_match"] == 1.0


def test_errors_are_counted_in_tokens() -> None:
    baseline = Nearest.fit(rows([[1], [2]], [[5, 6, 7], [8]]))
    assert scores(baseline.judge(rows([[1]], [[5, 7]]))) == {"token_error_rate": 0.5, "exact_match": 0.0}


def test_rows_without_anything_known_or_at_all_have_an_answer() -> None:
    baseline = Nearest.fit(rows([[1], [2]], [[5], [6]]))
    assert scores(baseline.judge(rows([[8], []], [[5], [5]])))["exact_match"] == 1.0


def test_it_needs_symbols_to_read() -> None:
    numbers = Encoded(np.zeros((2, 3), np.float32), np.array([0, 1, 2]))
    assert not Nearest.applies(Examples({"x": numbers}, {"x": Continuous(3)}, ragged([[1], [2]]), Discrete(4), Free()))
    assert not Nearest.applies(Examples({"x": ragged([[1]])}, {"x": Discrete(2)}, ragged([[1]]), Discrete(4), Next()))
    assert Nearest.applies(rows([[1]], [[1]]))
