"""What holds for every form of target: what it says of itself, and that each row is asked for its own answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, training

from unrolled.batch import MISSING, Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.form import FORMS, TargetForm, form_of, numbers_of
from unrolled.training.plans import batch_settings, evaluation_plan, training_plan

BY_FORM: dict[str, Sample] = {sample.ask().coder.form.name: sample for sample in SAMPLES.values()}


@pytest.fixture(params=FORMS.names())
def sample(request: pytest.FixtureRequest) -> Sample:
    assert request.param in BY_FORM, "a new form needs a task, and that a sample in tests/samples.py"
    return BY_FORM[request.param]


def answered(part: Examples, options: dict[str, int], *, train: bool = False) -> list[tuple[int, torch.Tensor]]:
    """(row, what it is asked) of each row of each batch, what is missing or padded left out, in order."""
    task = BY_FORM[part.form.name].ask()
    config = training(options)
    plan = training_plan(part, task.batching, config, 0) if train else evaluation_plan(part, task.batching, config)
    found = []
    for batch in Loader(part, plan):
        assert batch.target is not None
        found += [(int(row), known(batch, place)) for place, row in enumerate(batch.rows)]
    return sorted(found, key=lambda pair: (pair[0], pair[1].tolist()))


def known(batch: Batch, place: int) -> torch.Tensor:
    assert batch.target is not None
    target = batch.target[place].flatten()
    return target[target.isfinite() & (target != MISSING)]


def test_its_name_is_that_of_its_file_and_makes_it_again(sample: Sample) -> None:
    form: TargetForm = sample.ask().coder.form
    assert isinstance(form, FORMS.get(form.name))
    assert form_of(form.name, numbers_of(form)) == form
    assert hash(form) == hash(form_of(form.name, numbers_of(form)))


def test_what_it_says_of_itself_agrees(sample: Sample) -> None:
    form = sample.ask().coder.form
    assert form.continues == bool(form.asks)
    assert form.continues or not (form.predicts_next or form.horizon)
    assert form.own_length or not form.writes
    assert form.whole or not form.own_length


@pytest.mark.parametrize("train", [False, True])
def test_each_row_is_asked_for_its_own_answer_whatever_stands_beside_it(sample: Sample, train: bool) -> None:
    examples = sample.examples(sample.ask())
    alone, together = (answered(examples, {"batch": size}, train=train) for size in (1, 5))
    assert [row for row, _ in alone] == [row for row, _ in together]
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(alone, together, strict=True))
    assert any(len(target) for _, target in alone)


def test_a_row_is_answered_once(sample: Sample) -> None:
    task = sample.ask()
    examples = task.coder.encode(sample.data, with_target=False)
    known = np.min([column.lengths() for column in examples.inputs.values() if column.offsets is not None], axis=0)
    plan = examples.form.plans.answering(known, batch_settings(task.batching, training({"batch": 3})))
    batches = list(Loader(examples, plan))
    assert sorted(row for batch in batches for row in batch.rows.tolist()) == list(range(len(sample.data)))
    assert all(batch.target is None for batch in batches)


def test_no_row_asks_more_often_than_it_has_steps(sample: Sample) -> None:
    steps = np.array([0, 1, 2, 40, 3_000])
    plans = sample.ask().coder.form.plans
    for found in (plans.questions(steps), plans.read(steps, 16)):
        assert (found >= 0).all() and (found <= steps).all()
