from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from configs import task_config
from samples import SAMPLES, network_for, ours, training

from unrolled import registry
from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.calendar import Calendar
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import UsageError
from unrolled.metrics.metric import cost
from unrolled.metrics.scoring import scores
from unrolled.models.encoder_decoder import Written
from unrolled.runs.question import recognised_task
from unrolled.tasks.task import TASKS, Question, Task, make_task, scored_steps
from unrolled.training.evaluate import run_over
from unrolled.training.plans import evaluation_plan


def test_every_task_has_a_sample() -> None:
    assert {sample.task for sample in SAMPLES.values()} == ours("task"), "add a sample of the new task to samples.py"


def test_the_scored_steps_are_real_and_no_context() -> None:
    lengths, scored = torch.tensor([3, 1, 0]), torch.tensor([1, 0, 0])
    plain = Batch({}, lengths, lengths)
    assert scored_steps(plain, 3).int().tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    context = Batch({}, lengths, lengths, scored=scored)
    assert scored_steps(context, 3).int().tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "needed"),
    [("next_step", "text, items or numbers"), ("classify", "labels"), ("forecast", "channels"), ("translate", "text")],
)
def test_a_target_without_what_the_task_needs_is_refused(name: str, needed: str) -> None:
    when = Calendar(time=True)
    expected = f"^the task '{name}' needs a target with {needed}, but 'when' is read as calendar; choose another targe"
    with pytest.raises(UsageError, match=expected):
        make_task(task_config(name=name), Preprocessor({"when": when}, "when", when, "next"))


# --- what every task keeps (over all samples) --------------------------------------------------------------------


def batches(name: str, model: str = "gru") -> Any:
    sample = SAMPLES[name]
    task = sample.ask()
    torch.manual_seed(0)
    network = network_for(task, model)
    examples = sample.examples(task)
    loader = Loader(examples, evaluation_plan(examples, task.batching, training({})))
    return task, list(run_over(network, loader, "cpu"))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_watched_metric_is_the_loss(name: str) -> None:
    """What training makes small is the mean of the loss over what is scored."""
    task, results = batches(name)
    total = sum(float(task.loss(outputs, batch)[0]) for outputs, batch in results)
    count = sum(int(task.loss(outputs, batch)[1]) for outputs, batch in results)
    metrics = scores(task.judge(outputs, batch) for outputs, batch in results)
    assert metrics[task.watch] == pytest.approx(total / count, rel=1e-4)
    assert math.isfinite(cost(task.chooses, metrics[task.chooses]))
    assert all(isinstance(value, float) and math.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("name", SAMPLES)
def test_the_losses_of_the_answers_sum_to_the_loss_and_are_those_of_each_row_alone(name: str) -> None:
    task, results = batches(name)
    for outputs, batch in results:
        losses, counts = task.each(outputs, batch)
        loss, count = task.loss(outputs, batch)
        torch.testing.assert_close(losses.sum(), loss)
        assert int(counts.sum()) == int(count) and losses.shape == counts.shape
        assert not losses[counts == 0].any()
        if isinstance(outputs, torch.Tensor):
            of_rows, rows = Task.each(task, outputs, batch)
            torch.testing.assert_close(losses.flatten(1).sum(1) if losses.dim() > 1 else losses, of_rows)
            assert torch.equal(counts.flatten(1).sum(1) if counts.dim() > 1 else counts.long(), rows)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_lies_in_the_padding_of_a_batch_is_never_scored(name: str) -> None:
    """C2 for losses and metrics: outputs, inputs and targets beyond a row's length may hold anything."""
    task, results = batches(name)
    for outputs, batch in results:
        if task.pooled or isinstance(outputs, Written):  # those have no step that is padding
            continue
        beyond = torch.arange(outputs.shape[1]) >= batch.lengths[:, None]
        junk = outputs.masked_fill(beyond[..., None], math.nan)
        target = batch.target.clone()
        if target.is_floating_point():
            target[beyond] = math.nan
        inputs = {n: v.masked_fill(beyond[..., None], math.nan) if v.dim() == 3 else v for n, v in batch.inputs.items()}
        spoiled = replace(batch, inputs=inputs, target=target)
        assert torch.equal(task.loss(junk, spoiled)[0], task.loss(outputs, batch)[0])
        assert scores([task.judge(junk, spoiled)]) == scores([task.judge(outputs, batch)])


@pytest.mark.parametrize("name", SAMPLES)
def test_gradients_of_the_loss_are_finite_and_zero_in_the_padding(name: str) -> None:
    task, results = batches(name)
    for outputs, batch in results:
        leaf = (outputs.logits if isinstance(outputs, Written) else outputs).clone().requires_grad_()
        given = replace(outputs, logits=leaf) if isinstance(outputs, Written) else leaf
        (gradient,) = torch.autograd.grad(task.loss(given, batch)[0], leaf)
        assert gradient.isfinite().all()
        if not task.pooled and isinstance(outputs, torch.Tensor):
            assert not gradient[torch.arange(outputs.shape[1]) >= batch.lengths[:, None]].any()


@pytest.mark.parametrize("name", SAMPLES)
def test_answers_are_columns_of_plain_values_one_a_row(name: str) -> None:
    task, results = batches(name)
    for outputs, batch in results:
        columns = task.answers(outputs, batch)
        assert any(column.endswith("_predicted") for column in columns)
        for values in columns.values():
            assert len(values) == len(batch.rows)
            json.dumps(values)  # what is printed is what Python and JSON know


@pytest.mark.parametrize("name", SAMPLES)
def test_a_baseline_comes_under_the_tasks_own_names(name: str) -> None:
    from unrolled.baselines.baseline import fit_baselines, score_baselines
    from unrolled.solved.solved_model import solve_all
    from unrolled.training.config import TrainingConfig
    from unrolled.training.evaluate import evaluate

    task, _ = batches(name)
    examples = SAMPLES[name].examples(task)
    own = set(scores([task.judge(*batches(name)[1][0])]))
    found = score_baselines(fit_baselines(examples), examples)
    for solved in solve_all(task, examples, {}, 0).values():
        found[solved.name] = evaluate(solved, task, examples, TrainingConfig())
    assert found
    for metrics in found.values():
        shared = own & metrics.keys()
        assert shared and all(np.isfinite(metrics[measure]) for measure in shared)
        assert all(measure.startswith(("bits_per_", "crps_")) for measure in metrics.keys() - own)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_question_is_recognised_by_its_own_task(name: str) -> None:
    """Others may answer it too, but none is as sure."""
    sample = SAMPLES[name]
    task, reason = recognised_task(sample.question(), "")
    assert task == (sample.inferred or sample.task) and reason


@pytest.mark.parametrize("name", ["a_copy", "z_copy"])
def test_two_tasks_that_are_equally_sure_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that comes first by its name does not win."""
    question = SAMPLES["regress"].question()
    assert recognised_task(question, "")[0] == "regress"
    monkeypatch.setattr(registry, "_registered", {})
    registry.register("task", name, type("Copy", (TASKS.get("regress"),), {"name": name}))
    both = " and ".join(sorted([name, "regress"]))
    with pytest.raises(UsageError, match=f"^the tasks {both} fit equally well: choose one with task$"):
        recognised_task(question, "")
    assert recognised_task(question, name)[0] == name


@pytest.mark.parametrize("task", ["classify", "regress", "tag"])
@pytest.mark.parametrize("target", [(), ("text", "age")])
def test_one_target_is_needed(task: str, target: tuple[str, ...]) -> None:
    question = Question(SAMPLES["classify"].data, target, ())
    with pytest.raises(UsageError, match=rf"target must name one column, not {len(target)}; columns: text, label, age"):
        TASKS.get(task).roles(question)


@pytest.mark.parametrize("task", ["classify", "regress", "tag"])
def test_the_target_is_no_input(task: str) -> None:
    sample = SAMPLES["regress"]
    question = Question(sample.data, ("size",), ("wave", "size"))
    with pytest.raises(UsageError, match="'size' is the target, so it cannot be an input as well"):
        TASKS.get(task).roles(question)
