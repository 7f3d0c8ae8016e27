"""Facts to choices, a line for each: a changed number shows as a changed line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from unrolled.planning.facts import Facts
from unrolled.planning.rules.rule import RULES, Wishes, choices_for

JSB = Facts("next", 229, 13_700, 160, 60, True, numbers=88, switches=True)
NOTTINGHAM = Facts("next", 694, 176_000, 1_800, 250, True, numbers=88, switches=True)
SHAKESPEARE = Facts("next", 1, 1_003_854, 1_003_854, 1_003_854, True, symbols=65, classes=65)
TWEETS = Facts("one", 3_257, 62_000, 40, 18, True, symbols=9_000, classes=4, imbalance=4.8)
REVIEWS = Facts("one", 9_000, 190_000, 50, 20, True, symbols=18_000, classes=2)
STUDENTS = Facts("one", 400, 400, 1, 1, False, classes=3, imbalance=2.0)
SERIES = Facts("one", 36, 9_036, 251, 251, True, numbers=1, classes=3)
NAMES = Facts("aligned", 3_394, 62_730, 100, 17, True, symbols=15_000, classes=13, tags=True)
LOAD = Facts("horizon", 1, 8_640, 8_640, 8_640, True, numbers=7, horizon=96, season=24)
SHORT = Facts("horizon", 1, 24, 24, 24, True, numbers=1, horizon=6, season=12)
CLICKS = Facts("next", 20_000, 400_000, 100, 20, True, symbols=5_000, classes=5_000, items=True)

CASES: dict[str, tuple[Facts, dict[str, Any], dict[str, Any]]] = {
    "few chorales": (
        JSB,
        {},
        {"model": "tcn", "batch": 4, "layers": 2, "hidden": 150, "dropout": 0.2, "lr": 4e-3},
    ),
    "few chorales, for another model": (
        JSB,
        {"given": {"model": "gru"}},
        {"batch": 4, "hidden": 192, "dropout": 0.2, "lr": 3e-3},
    ),
    "more tunes, in pieces": (
        NOTTINGHAM,
        {},
        {"model": "lstm", "bptt": 64, "batch": 16, "hidden": 320, "dropout": 0.2, "lr": 4.24e-3},
    ),
    "a long text": (
        SHAKESPEARE,
        {},
        {"model": "lstm", "bptt": 64, "batch": 32, "hidden": 384, "dropout": 0.2, "lr": 5.05e-3},
    ),
    "uneven labels of texts": (
        TWEETS,
        {},
        {
            "model": "bigru",
            "hidden": 128,
            "embedding": 300,
            "batch": 32,
            "dropout": 0.5,
            "lr": 1e-3,
            "class_weights": "balanced",
        },
    ),
    "even labels of texts": (
        REVIEWS,
        {},
        {"model": "bigru", "hidden": 128, "embedding": 300, "batch": 32, "dropout": 0.5, "lr": 1e-3},
    ),
    "what streams, if that is asked": (
        REVIEWS,
        {"live": True},
        {"model": "gru", "hidden": 128, "embedding": 300, "batch": 32, "dropout": 0.5, "lr": 1e-3},
    ),
    "rows without time": (
        STUDENTS,
        {},
        {
            "model": "mlp",
            "hidden": 16,
            "batch": 16,
            "dropout": 0.5,
            "weight_decay": 0.1,
            "lr": 2e-3,
            "class_weights": "balanced",
        },
    ),
    "few series": (SERIES, {}, {"model": "bigru", "hidden": 64, "batch": 16, "dropout": 0.5, "lr": 2e-3}),
    "tags": (
        NAMES,
        {},
        {"model": "bilstm", "crf": True, "hidden": 128, "batch": 16, "dropout": 0.5, "lr": 2e-3},
    ),
    "tags of a stream": (
        NAMES,
        {"live": True},
        {"model": "lstm", "hidden": 128, "batch": 16, "dropout": 0.5, "lr": 2e-3},
    ),
    "four days of hours": (
        LOAD,
        {},
        {
            "season": 24,
            "lookback": 480,
            "hidden": 64,
            "batch": 64,
            "dropout": 0.3,
            "weight_decay": 0.1,
            "lr": 1e-3,
        },
    ),
    "no more history than there is": (
        SHORT,
        {},
        {
            "season": 12,
            "lookback": 18,
            "hidden": 32,
            "batch": 16,
            "dropout": 0.3,
            "weight_decay": 0.1,
            "lr": 1e-3,
        },
    ),
    "clicks": (
        CLICKS,
        {},
        {"model": "transformer", "hidden": 64, "tied": True, "batch": 128, "dropout": 0.3, "lr": 3e-3},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_chosen(case: str) -> None:
    facts, wishes, wanted = CASES[case]
    found = choices_for(facts, Wishes(passes=lambda _: 12.0, **wishes))
    assert {choice.field: choice.value for choice in found} == wanted
    assert all(choice.reason and choice.source == "rule" for choice in found)


def test_what_the_user_chose_is_left_alone_and_the_rest_follows_it() -> None:
    found = {c.field: c.value for c in choices_for(JSB, Wishes({"batch": 64, "hidden": 768, "model": "gru"}))}
    assert found["lr"] == 3e-3  # twice as much for the batch, half for the width
    assert not found.keys() & {"batch", "hidden"}


def test_a_network_is_narrower_where_the_budget_would_hardly_read_the_data() -> None:
    def passes(values: Any) -> float:
        return 1_000 / values["hidden"] if "hidden" in values else 100.0

    found = {c.field: c for c in choices_for(SHAKESPEARE, Wishes(passes=passes))}
    assert found["hidden"].value == 64
    assert "budget" in found["hidden"].reason


def test_dropout_grows_with_the_passes() -> None:
    chosen = [
        next(c.value for c in choices_for(NOTTINGHAM, Wishes(passes=lambda _, p=p: p)) if c.field == "dropout")
        for p in (2.0, 7.0, 15.0, 60.0)
    ]
    assert chosen == [0.0, 0.1, 0.2, 0.3]


def test_each_form_has_rules_and_a_foreign_one_has_none() -> None:
    from unrolled.data.forms.form import FORMS

    assert set(RULES.names()) == set(FORMS.names())
    assert choices_for(replace(JSB, form="of another package"), Wishes()) == ()
