from __future__ import annotations

import dataclasses
import itertools
import math
from types import SimpleNamespace

import pytest
import torch

from unrolled import api
from unrolled.errors import UsageError
from unrolled.inspection import probe as probing
from unrolled.inspection.probe import Found, probe
from unrolled.synthetic.memory_tasks import problem


def reached(found: Found) -> tuple[object, ...]:
    """What must not depend on the machine's speed."""
    rungs = tuple(dataclasses.replace(rung, seconds=0.0) for rung in found.rungs)
    return found.longest, found.score, found.trained, found.steps, rungs


def test_a_model_that_can_climbs_to_the_end_and_says_what_a_step_costs() -> None:
    said: list[str] = []
    found = probe("mingru", "order", 48, steps=2000, say=said.append)
    assert found.longest == 48
    assert found.score >= 0.99
    assert found.steps < 2000  # it stops when it is there
    lengths = [rung.length for rung in found.rungs if rung.solved]
    assert lengths == sorted(set(lengths)) == [16, 32, 48]
    assert (found.rungs[-1].length, found.rungs[-1].solved) == (48, True)
    assert found.microseconds > 0 and found.push_microseconds is not None and found.push_microseconds > 0
    assert len(said) == len(found.rungs)
    assert said[-1].startswith("T = 48: ") and " solved, " in said[-1]


def test_the_same_seed_gives_the_same_and_leaves_the_random_state_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_MARGIN", 100.0)  # any answers are good enough for a trial, and trials have scores
    before = torch.get_rng_state()
    first = reached(probe("mingru", "order", 32, steps=30, seed=3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert reached(probe("mingru", "order", 32, steps=30, seed=3)) == first
    assert reached(probe("mingru", "order", 32, steps=30, seed=4)) != first


def test_a_model_that_cannot_is_not_said_to() -> None:
    found = probe("window", "adding", 64, steps=60)  # it sees 16 steps, and a mark lies before them
    assert (found.longest, found.steps, found.trained) == (0, 60, 16)
    assert found.rungs == () and math.isnan(found.score)


def test_a_window_solves_what_it_sees_and_no_more() -> None:
    found = probe("window", "order", 64, steps=300)
    assert found.longest == 16
    assert found.rungs[-1].length == 32 and found.rungs[-1].score < 0.9


def test_lessons_are_taken_one_after_the_other_before_the_problem_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    probe("mingru", "selective", 64, steps=20, say=said.append)
    assert said == []  # no lesson is over before it is nearly solved
    monkeypatch.setattr(probing, "_KNOWN", 100.0)  # any answers are good enough for the next lesson
    found = probe("mingru", "selective", 64, steps=75, say=said.append)
    assert [line.rpartition(",")[0] for line in said] == ["T = 32: lesson finished"] * 7
    assert found.trained == 32 and found.rungs == ()


def test_a_trial_that_is_lost_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    one = probing.problem("order")
    monkeypatch.setattr(probing, "_MARGIN", 100.0)  # any answers are good enough for a trial
    monkeypatch.setattr(
        probing,
        "problem",
        lambda _: dataclasses.replace(one, _make=lambda r, s, b: asked.append(b) or one._make(r, s, b)),
    )
    found = probe("mingru", "order", 16, steps=10)
    assert [rung.solved for rung in found.rungs] == [False]
    assert sum(asked) == 10 * 32 + 1 + 32  # ten batches, one row to count its answers, and one batch of the trial


def test_the_clock_stops_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=0.01)
    clock = SimpleNamespace(monotonic=lambda: next(ticks), perf_counter=lambda: next(ticks))
    monkeypatch.setattr(probing, "time", clock)
    found = probe("mingru", "adding", 10_000, minutes=0.005)
    assert 0.3 <= found.seconds < 0.4
    assert found.steps > 0


def test_a_model_that_reads_the_future_has_no_live_step() -> None:
    assert probe("bigru", "adding", 16, steps=2).push_microseconds is None


def test_long_rows_come_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    monkeypatch.setattr(probing, "problem", lambda name: dataclasses.replace(problem(name), first=4096))
    monkeypatch.setattr(probing._Climb, "_answer", _watched(probing._Climb._answer, shapes))
    probe("mingru", "adding", 4096, steps=1)
    assert shapes == [(16, 4096)]


def _watched(answer, shapes):  # type: ignore[no-untyped-def]
    def watch(self, questions):  # type: ignore[no-untyped-def]
        shapes.append(tuple(questions.scored.shape))
        return answer(self, questions)

    return watch


def test_steps_are_smaller_while_a_length_is_nearly_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    train = probing._Climb._train

    def watch(self: probing._Climb) -> None:
        train(self)
        rates.append(self.optimizer.param_groups[0]["lr"])
        self.recent[-1] = 0.951 if 150 <= len(rates) < 200 else 0.94  # of the words in order

    monkeypatch.setattr(probing._Climb, "_train", watch)
    monkeypatch.setitem(probing.SETTINGS, "order", probing.Settings(lr=1e-2, settled=1e-4))
    assert probe("mingru", "order", 16, steps=250).rungs == ()  # 95 % are not enough to try
    assert rates[:100] == pytest.approx([1e-2 * (n + 1) / 100 for n in range(100)])
    # The ten latest decide: from the tenth good one to the first that is not.
    assert set(rates[100:159]) == {1e-2} and set(rates[159:200]) == {1e-4} and set(rates[200:]) == {1e-2}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"model": "lstn"}, "there is no model 'lstn'. Did you mean 'lstm'?"),
        ({"problems": ["adding", "copi"]}, "there is no problem 'copi'. Did you mean 'copy'?"),
        ({"problems": ["adding", "recall"], "up_to": 20}, "up_to must be at least 24 for the problem 'recall', got 20"),
        ({"minutes": 1.0, "steps": 3}, "give only one budget, not minutes and steps"),
        ({"minutes": 0.0}, "minutes must be above 0, got 0"),
        ({"minutes": float("nan")}, "minutes must be above 0, got nan"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_probed_is_said_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, object], text: str
) -> None:
    monkeypatch.setattr(probing._Climb, "run", lambda _: pytest.fail("it trained"))
    arguments = {"model": "mingru", "up_to": 100, "problems": ["adding"], **values}
    with pytest.raises(UsageError, match="^" + text.replace("?", r"\?").replace(".", r"\.")):
        api.probe(**arguments)  # type: ignore[arg-type]
