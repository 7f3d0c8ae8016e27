from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, network_for, rows_of, sequences, training

from unrolled.data.batches.loader import Loader
from unrolled.data.forms._steps import StepPlans
from unrolled.data.forms.aligned import Aligned
from unrolled.data.plans.windows import Rows
from unrolled.training import plans
from unrolled.training.evaluate import evaluate, run_over


@pytest.mark.parametrize("name", SAMPLES)
def test_the_metrics_do_not_depend_on_the_batches(name: str) -> None:
    sample = SAMPLES[name]
    task = sample.ask()
    examples = sample.examples(task)
    torch.manual_seed(1)
    network = network_for(task, "lstm")
    one, many = (evaluate(network, task, examples, training({"batch": size})) for size in (1, 64))
    assert one.keys() == many.keys()
    assert all(one[metric] == pytest.approx(many[metric], abs=1e-5) for metric in one)
    assert task.watch in one


@pytest.mark.parametrize("name", ["classify", "regress", "tag", "next_step", "forecast"])
def test_the_metrics_of_parts_are_those_of_the_whole(name: str) -> None:
    """Each question counts once: the mean over all is the weighted mean over parts."""
    sample = SAMPLES[name]
    task = sample.ask()
    torch.manual_seed(1)
    network = network_for(task, "gru")

    def judged(rows: list[int]) -> tuple[float, int]:
        examples = sample.examples(task, rows_of(sample, rows))
        plan = plans.evaluation_plan(examples, task.batching, training({}))
        parts = [task.loss(o, b) for o, b in run_over(network, Loader(examples, plan), "cpu")]
        count = sum(int(scored) for _, scored in parts)
        return evaluate(network, task, examples, training({}))[task.watch] * count, count

    (a, n), (b, m), (whole, count) = judged([1, 2, 3]), judged([4, 5, 6, 7, 8]), judged(list(range(1, 9)))
    assert n + m == count
    assert (a + b) / count == pytest.approx(whole / count, abs=1e-5)


def test_a_long_sequence_in_lanes_is_judged_as_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """With enough context a model of short memory gives the same answers in pieces as over the whole."""
    random = np.random.default_rng(0)
    letters = random.choice(list("abc"), 300).tolist()
    sample = SAMPLES["tag"]
    task = sample.ask()
    data = sequences({"letters": [letters], "tags": [["other"] * 300]}, sample.data.kinds)
    examples = task.coder.encode(data)
    torch.manual_seed(1)
    network = network_for(task, "window")  # it sees three steps
    whole = evaluate(network, task, examples, training({}))
    monkeypatch.setattr(Aligned, "plans", StepPlans(0, long=100, k1=16, context=8))
    assert plans.evaluation_plan(examples, task.batching, training({})).carries
    pieces = evaluate(network, task, examples, training({}))
    assert all(pieces[metric] == pytest.approx(whole[metric], abs=1e-6) for metric in whole)


def test_a_model_that_reads_the_future_is_judged_on_whole_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = SAMPLES["tag"]
    task = sample.ask()
    monkeypatch.setattr(Aligned, "plans", StepPlans(0, long=3))
    network = network_for(task, "bigru")
    assert plans.window(sample.examples(task), training({})) is not None
    assert task.watch in evaluate(network, task, sample.examples(task), training({}))


@pytest.mark.parametrize("training_mode", [True, False])
def test_nothing_is_left_changed(training_mode: bool) -> None:
    sample = SAMPLES["tag"]
    task = sample.ask()
    network = network_for(task, "gru", dropout=0.5)
    network.train(training_mode)
    examples = sample.examples(task)
    state = torch.get_rng_state()
    for _ in range(2):
        loader = Loader(examples, Rows(examples.steps(), 4))
        results: list[Any] = [outputs for outputs, _ in run_over(network, loader, "cpu")]
    assert network.training is training_mode
    assert torch.equal(torch.get_rng_state(), state)
    assert all(not outputs.requires_grad for outputs in results)


def test_where_nothing_is_asked_there_are_no_metrics() -> None:
    sample = SAMPLES["next_step several"]
    task = sample.ask()
    short = sequences({"keys": [[[1, 0, 1]]]}, sample.data.kinds)  # one step has no next one
    assert evaluate(network_for(task, "gru"), task, task.coder.encode(short), training({})) == {}
