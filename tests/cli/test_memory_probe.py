"""``memory`` on runs that are there, and ``probe`` on tiny lengths."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from cli.support import Done, Runs

from unrolled import api

Unrolled = Callable[..., Done]


def test_memory_shows_the_spectrum_and_the_verdict(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("memory", runs.text, runs.file("cats.txt"), "--lags", 30)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("lag k  ‖∂L_t/∂x_t-k‖, logarithmic: each █ is a factor of ")
    assert [line.split()[0] for line in lines[1:7]] == ["0", "1", "2–3", "4–7", "8–15", "16–29"]
    assert lines[-2].startswith("90 % of the gradient is within ")
    assert lines[-1].split(":")[0] in ("healthy", "vanishing")
    told = unrolled("memory", runs.text, runs.file("cats.txt"), "--lags", 30, "--json").json
    assert len(told["norms"]) == 30
    assert told["verdict"] == lines[-1].split(":")[0]
    assert {"schema", "run", "file", "lag_90", "survival", "reach", "answers"} < told.keys()


def test_memory_of_answers_to_whole_rows_and_of_forecasts(unrolled: Unrolled, runs: Runs) -> None:
    told = unrolled("memory", runs.reviews, runs.file("reviews.csv"), "--json").json
    assert (told["answers"], len(told["norms"])) == (40, 7)  # two to six words and one more
    assert len(unrolled("memory", runs.both, runs.file("reviews.csv"), "--json").json["norms"]) == 7
    told = unrolled("memory", runs.load, runs.file("load.csv"), "--json").json
    assert len(told["norms"]) == api.load(runs.load).task.batching.lookback


def test_what_is_not_finite_is_null_in_json(unrolled: Unrolled, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    from unrolled.inspection.memory_horizon import Horizon

    horizon = Horizon((1.0, math.inf), 1, math.nan, 1, "exploding", 1)
    monkeypatch.setattr("unrolled.api.memory", lambda *_, **__: horizon)
    done = unrolled("memory", runs.text, "any.txt", "--json")
    assert (done.json["norms"], done.json["survival"]) == ([1.0, None], None)
    assert "NaN" not in done.out and "Infinity" not in done.out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--lags", 1), 2, "error: --lags must be at least 2, got 1\n"),
        (("--lags", "x"), 2, "--lags"),
    ],
)
def test_memory_says_what_it_cannot_measure(
    unrolled: Unrolled, runs: Runs, words: tuple[object, ...], code: int, text: str
) -> None:
    done = unrolled("memory", runs.text, runs.file("cats.txt"), *words)
    assert (done.code, done.out) == (code, "")
    assert text in done.err
    assert unrolled("memory", runs.text, "nowhere.txt").code == 3
    assert unrolled("memory", runs.folder, runs.file("cats.txt")).code == 4


def test_probe_prints_a_row_for_each_problem_and_says_what_it_tries(unrolled: Unrolled) -> None:
    done = unrolled("probe", "--model", "mingru", "--up-to", 16, "--problems", "order, copy", "--steps", 400)
    assert done.code == 0
    head, order, copy = done.out.splitlines()
    assert head.split("  ")[-1].strip() == "µs a live step"
    assert order.split()[:4] == ["order", "16", order.split()[2], "right"]
    assert float(order.split()[2]) >= 0.99
    assert copy.split()[:3] == ["copy", "none", "400"]
    assert "T = 16: " in done.err
    assert unrolled("probe", "--model", "gru", "--up-to", 16, "--problems", "copy", "--steps", 1, "--quiet").err == ""


def test_probe_as_json(unrolled: Unrolled) -> None:
    told = unrolled("probe", "--model", "bigru", "--up-to", 20, "--problems", "adding", "--steps", 3, "--json").json
    assert (told["schema"], told["model"], told["up_to"]) == (1, "bigru", 20)
    (one,) = told["problems"]
    assert (one["problem"], one["longest"], one["score"], one["steps"], one["rungs"]) == ("adding", 0, None, 3, [])
    assert one["push_microseconds"] is None
    assert one["microseconds"] > 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--model", "lstn", "--up-to", 50), "there is no model 'lstn'. Did you mean 'lstm'?"),
        (
            ("--model", "gru", "--up-to", 50, "--problems", "ading"),
            "there is no problem 'ading'. Did you mean 'adding'?",
        ),
        (("--model", "gru", "--up-to", 50, "--problems", ","), "--problems is empty"),
        (("--model", "gru", "--up-to", 20), "--up-to must be at least 24 for the problem 'recall', got 20"),
        (
            ("--model", "gru", "--up-to", 50, "--minutes", 1, "--steps", 1),
            "give only one budget, not --minutes and --steps",
        ),
        (("--model", "gru", "--up-to", 50, "--minutes", -1), "minutes must be above 0, got -1"),
        (("--model", "gru", "--up-to", 50, "--steps", 0), "steps must be at least 1, got 0"),
        (("--up-to", 50), "--model"),
        (("--model", "gru"), "--up-to"),
    ],
)
def test_probe_refuses_what_it_cannot_do_before_it_begins(
    unrolled: Unrolled, words: tuple[object, ...], text: str
) -> None:
    done = unrolled("probe", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and text in done.err
