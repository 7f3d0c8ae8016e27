"""The page of the tour: every chapter, with the numbers that were measured."""

from __future__ import annotations

import html
import re

import pytest

from unrolled.errors import UsageError
from unrolled.tour.attention_chapters import attention_chapters
from unrolled.tour.claims import claims
from unrolled.tour.observed import Measured
from unrolled.tour.recurrent_chapters import recurrent_chapters
from unrolled.tour.tiny import Tiny
from unrolled.tour.walk import page, walk

CHAPTERS = [
    *("Recurrence and shared weights", "The RNN, unrolled", "One to one, many to one, many to many", "Embeddings"),
    *("Backpropagation through time", "Vanishing gradients", "Exploding gradients, and clipping", "Gates"),
    *(
        "The LSTM, unrolled",
        "The bottleneck",
        "Attention",
        "Transformers",
        "Said to be lacking, 1: a continuous stream",
    ),
    *("Said to be lacking, 2: parallel training", "Said to be lacking, 3: a long memory"),
]


def test_every_chapter_is_there_once_and_every_claim_stands_in_one(tiny: Tiny, found: Measured) -> None:
    judged = claims(found)
    sections = [*recurrent_chapters(tiny, found, judged), *attention_chapters(found, judged)]
    assert [section.title for section in sections] == CHAPTERS
    text = html.unescape(" ".join(section.body for section in sections))
    for claim in judged.values():
        assert claim.sentence in text
        assert (f"it did not come true in this run: {claim.sentence}" in text) == (not claim.holds)
    assert {section.group for section in sections if section.view == "unrolled"} == {"rnn", "lstm"}


def test_the_page_works_offline_and_opens_with_what_came_true(tiny: Tiny, found: Measured) -> None:
    written = page(tiny, found, claims(found), "in a test")
    true = sum(claim.holds for claim in claims(found).values())
    assert f"{true} of {len(claims(found))} claims came true in this run" in written
    assert "default-src 'none'" in written and not re.search(r"(src|href)=.https?:", written)
    assert len(written) < 1_000_000


@pytest.mark.parametrize(("given", "said"), [({"steps": 0}, "steps must be at least 1, got 0"), ({"seed": -1}, "seed")])
def test_numbers_out_of_range_are_refused_before_anything_is_trained(given: dict[str, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        walk(**given, say=pytest.fail)  # type: ignore[arg-type]
