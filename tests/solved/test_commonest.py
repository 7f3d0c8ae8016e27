"""One answer to everything, written or placed on steps in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from samples import Sample, sequences

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.preparation import Preparation
from unrolled.decoding.ctc import BLANK, ctc_greedy
from unrolled.metrics.scoring import scores
from unrolled.models.encoder_decoder import Written
from unrolled.solved.commonest import Commonest
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import evaluation_plan

LETTERS = Preparation(tokens="characters")


def written(answers: list[str], **options: Any) -> tuple[Task, Batch, Commonest]:
    table = {"text": ["x"] * len(answers), "said": answers}
    sample = Sample("translate", sequences(table, dict.fromkeys(table, "tokens")), ("said",), "", LETTERS, options)
    return solved(sample)


def in_order(answers: list[str], steps: int) -> tuple[Task, Batch, Commonest]:
    table = {"wave": [[0.5] * steps] * len(answers), "said": answers}
    kinds = {"wave": "number", "said": "tokens"}
    return solved(Sample("transcribe", sequences(table, kinds), ("said",), "", LETTERS))


def solved(sample: Sample) -> tuple[Task, Batch, Commonest]:
    task = sample.ask()
    train = sample.examples(task)
    model = Commonest.solve(task, train, Commonest.Options(), 0).eval()
    return task, Loader(train, evaluation_plan(train, task.batching, TrainingConfig(batch=64), False))[0], model


@pytest.mark.parametrize("beam", [1, 4, 30])
def test_the_commonest_answer_is_written(beam: int) -> None:
    task, rows, model = written(["ab", "b", "ab", "bbbb"], beam=beam)
    outputs = model.run(rows)[0]
    found = scores([task.judge(outputs, rows)])
    assert (found["exact_match"], found["token_error_rate"]) == (2 / 4, (1 + 3) / 9)
    assert task.answers(outputs, rows) == {"said_predicted": ["ab"] * 4}


def test_of_equally_common_ones_the_shortest_and_it_may_be_empty() -> None:
    task, rows, model = written(["bab", "a", "ba"])
    assert task.answers(model.run(rows)[0], rows)["said_predicted"] == ["a"] * 3
    task, rows, model = written(["", "a", ""])
    assert task.answers(model.run(rows)[0], rows)["said_predicted"] == [""] * 3


def test_half_of_the_probability_is_on_the_answer_and_half_on_the_frequencies() -> None:
    _, rows, model = written(["ab", "ab", "ba"])
    logits = model.run(rows)[0].logits.log_softmax(-1)
    assert rows.target is not None
    chances = [0.0] * 3
    for row in range(3):
        right = rows.target[row, 1:]
        chances[row] = float(logits[3 * row : 3 * row + 3].gather(1, right[:, None]).sum().exp())
        by_frequency = float(model.nats.log_softmax(0)[right].sum().exp())
        assert chances[row] == pytest.approx(by_frequency / 2 + 0.5 * (row < 2), rel=1e-4)


def test_without_a_target_there_is_only_the_answer() -> None:
    task, rows, model = written(["abb", "ab", "abb", "bab"])
    outputs = model.run(replace(rows, target=None, target_lengths=None))[0]
    assert isinstance(outputs, Written) and outputs.logits is None
    assert task.answers(outputs, rows) == {"said_predicted": ["abb"] * 4}


def test_in_order_its_symbols_take_the_first_steps() -> None:
    task, rows, model = in_order(["abb", "abb", "b"], 9)
    outputs = model.run(rows)[0]
    assert outputs.shape == (3, 9, task.outputs)
    first = outputs.argmax(-1)[0].tolist()
    a, b = first[0], first[1]
    assert first == [a, b, BLANK, b, BLANK, BLANK, BLANK, BLANK, BLANK] and BLANK not in (a, b)
    assert task.answers(outputs, rows) == {"said_predicted": ["abb"] * 3}
    assert scores([task.judge(outputs, rows)])["exact_match"] == pytest.approx(2 / 3)
    torch.testing.assert_close(outputs.logsumexp(-1), torch.zeros(3, 9), atol=1e-5, rtol=0)


def test_a_row_with_too_few_steps_has_the_beginning_of_the_answer() -> None:
    _, rows, model = in_order(["abab", "abab", "b"], 4)
    short = replace(rows, lengths=torch.tensor([2, 4, 0]))
    outputs = model.run(short)[0]
    assert [len(ids) for ids in ctc_greedy(outputs, short.lengths)] == [2, 4, 0]
    assert not outputs[0, 2:].any()
