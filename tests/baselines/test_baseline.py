"""All members together: what applies, the shape of the answer, fairness, and the note on long splits."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from samples import ours

from unrolled.baselines import baseline
from unrolled.baselines.baseline import BASELINES, fit_baselines, score_baselines
from unrolled.data.examples.examples import Examples
from unrolled.metrics.scoring import scores

Make = Callable[..., Examples]

TEXT = [[0, 1, 2, 1], [1, 2], [0, 0, 2], [2, 1, 1]] * 5


@pytest.fixture
def splits(tokens: Make, tagged: Make, texts: Make, table: Make, series: Make) -> dict[str, Examples]:
    numbers = np.random.default_rng(0).normal(size=(40, 2))
    return {
        "next tokens": tokens(TEXT, 3),
        "next items": replace(tokens(TEXT, 3), first_item=1),
        "next numbers": series([numbers], 0),
        "tags": tagged(TEXT, TEXT, 3, 3),
        "label of a text": texts(TEXT, 3, [0, 1, 0, 1] * 5, 2),
    }


WANTED: dict[str, tuple[set[str], set[str]]] = {
    "next tokens": ({"gzip"}, {"loss_nats_per_token", "bits_per_token"}),
    "next items": ({"gzip", "hmm"}, {"loss_nats_per_token", "bits_per_token"}),
    "next numbers": ({"hmm"}, {"mse_scaled", "mae_scaled"}),
    "tags": ({"hmm"}, {"loss_nats_per_step", "accuracy", "macro_f1"}),
    "label of a text": ({"hmm"}, {"loss_nats_per_label", "accuracy", "macro_f1"}),
}


LISTED = set().union(*(names for names, _ in WANTED.values()))


@pytest.mark.parametrize("question", WANTED)
def test_each_question_has_its_baselines_and_metrics(splits: dict[str, Examples], question: str) -> None:
    split = splits[question]
    scores = score_baselines(fit_baselines(split), split)
    names, metrics = WANTED[question]
    assert scores.keys() & LISTED == names
    for values in scores.values():
        assert metrics <= values.keys()
        assert all(type(value) is float and math.isfinite(value) for value in values.values())
    assert scores == score_baselines(fit_baselines(split), split)


def test_every_member_is_used_and_named_once(splits: dict[str, Examples]) -> None:
    members = BASELINES.members().values()
    assert {BASELINES.get(name).name for name in ours("baseline")} == LISTED, "add the new baseline to WANTED"
    assert len({member.name for member in members}) == len(members)


@pytest.mark.parametrize("question", WANTED)
def test_a_baseline_is_not_changed_by_what_it_is_scored_on(splits: dict[str, Examples], question: str) -> None:
    split = splits[question]
    for member in BASELINES.members().values():
        if member.applies(split):
            fitted = member.fit(split)
            assert scores(fitted.judge(split)) == scores(fitted.judge(split))


def test_long_splits_are_cut_and_it_is_said(
    tokens: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(baseline, "_FIT_CELLS", 40)
    monkeypatch.setattr(baseline, "_SCORE_CELLS", 30)
    long, short = tokens([[0, 1, 2] * 40], 3), tokens([[0, 1, 2] * 10], 3)
    with caplog.at_level(logging.WARNING):
        assert score_baselines(fit_baselines(long), long) == score_baselines(
            fit_baselines(tokens([([0, 1, 2] * 40)[-40:]], 3)), short
        )
    assert caplog.messages[:2] == [
        "the baselines were fitted on 40 of 120 steps",
        "the baselines were scored on 30 of 120 steps",
    ]
    caplog.clear()
    score_baselines(fit_baselines(short), tokens([[0, 1, 2] * 40], 3, first=[100]))
    assert not caplog.messages  # history that is left out is not worth a word
