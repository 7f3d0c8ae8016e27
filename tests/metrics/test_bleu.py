"""BLEU is sacreBLEU's own, over batches too."""

from __future__ import annotations

import logging
import sys

import pytest
import sacrebleu

from unrolled.metrics import bleu
from unrolled.metrics.judged import Translations
from unrolled.metrics.scoring import scores, signatures

WRITTEN = ["The cat sat on the mat.", "A dog, running!", "", "Zwei Hunde spielen im Gras"]
RIGHT = ["The cat is on the mat.", "A dog runs.", "Nothing here", "Zwei Hunde spielen im hohen Gras."]


def test_the_numbers_are_those_of_the_package() -> None:
    expected = {
        "bleu": sacrebleu.corpus_bleu(WRITTEN, [RIGHT]).score,
        "chrf": sacrebleu.corpus_chrf(WRITTEN, [RIGHT]).score,
    }
    whole = scores([(Translations(WRITTEN, RIGHT),)])
    parts = scores([(Translations(WRITTEN[n : n + 1], RIGHT[n : n + 1]),) for n in range(4)])
    assert whole == pytest.approx(expected) and parts == pytest.approx(expected)
    assert 0 < whole["bleu"] < 100


def test_the_signature_says_how_they_are_computed() -> None:
    found = signatures(["bleu", "chrf", "accuracy"])
    assert found["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert found["chrf"] == "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|program:unrolled"
    assert signatures(["accuracy"]) == {}


def test_without_the_package_there_are_no_numbers_but_a_hint(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    bleu._scorer.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert scores([(Translations(WRITTEN, RIGHT),)] * 2).keys() == {"chrf"}
    bleu._scorer.cache_clear()
    assert caplog.messages == ["BLEU needs sacrebleu: pip install 'unrolled[text]'"]
