from __future__ import annotations

import pytest

from unrolled.metrics.judged import TokenSequences
from unrolled.metrics.scoring import scores


def test_edits_are_counted_over_all_tokens_and_sequences() -> None:
    kitten, sitting = ([*map(ord, word)] for word in ("kitten", "sitting"))
    found = scores([(TokenSequences([kitten, sitting], [sitting, sitting]),)])
    assert found == {"token_error_rate": pytest.approx(3 / 14), "exact_match": 0.5}


def test_more_may_be_wrong_than_there_is() -> None:
    assert scores([(TokenSequences([[1, 2, 3]], [[4]]),)]) == {"token_error_rate": 3.0, "exact_match": 0.0}


def test_where_every_right_sequence_is_empty_there_is_no_rate() -> None:
    assert scores([(TokenSequences([[1], []], [[], []]),)]) == {"exact_match": 0.5}
