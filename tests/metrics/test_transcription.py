"""Word and character error rates."""

from __future__ import annotations

import pytest

from unrolled.metrics.judged import Transcripts
from unrolled.metrics.scoring import scores


@pytest.mark.parametrize(
    ("written", "right", "words", "characters"),
    [
        (["the cat"], ["the cat"], 0.0, 0.0),
        (["the hat"], ["the cat"], 1 / 2, 1 / 7),
        ([""], ["the cat"], 1.0, 1.0),
        (["a b c d"], ["a"], 3.0, 6.0),
        (["The  cat"], ["the cat"], 1 / 2, 2 / 7),  # words are parted by any number of blanks
        (["one two", "three"], ["one", "three four"], 2 / 3, 9 / 13),
    ],
)
def test_edits_over_what_is_right(written: list[str], right: list[str], words: float, characters: float) -> None:
    found = scores([(Transcripts(written, right),)])
    assert found == pytest.approx({"word_error_rate": words, "character_error_rate": characters})


def test_without_a_right_word_there_is_no_rate() -> None:
    assert scores([(Transcripts(["a"], [""]),)]) == {}
