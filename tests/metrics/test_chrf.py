"""chrF is the number that sacreBLEU gives."""

from __future__ import annotations

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.metrics.chrf import ChrF
from unrolled.metrics.judged import Translations

TEXTS = st.lists(
    st.tuples(st.text("ab ,Ä\u00a0", max_size=12), st.text("ab ,Ä\u00a0", max_size=12)), min_size=1, max_size=4
)


@given(pairs=TEXTS)
@settings(max_examples=200, deadline=None)
def test_the_number_is_that_of_the_package(pairs: list[tuple[str, str]]) -> None:
    written, right = ([pair[side] for pair in pairs] for side in (0, 1))
    found = ChrF().values(ChrF().sums(Translations(written, right)))
    assert found == pytest.approx({"chrf": sacrebleu.corpus_chrf(written, [right]).score}, abs=1e-9)
