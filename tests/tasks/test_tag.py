from __future__ import annotations

import math

import pytest
import torch
from samples import SAMPLES, sequences

from unrolled.batch import MISSING, Batch
from unrolled.errors import DataError
from unrolled.metrics.scoring import scores
from unrolled.tasks.classify import Classify
from unrolled.tasks.tag import Tag
from unrolled.tasks.task import Question


def batch(target: list[list[int]], lengths: list[int], scored: list[int] | None = None) -> Batch:
    context = None if scored is None else torch.tensor(scored)
    return Batch({}, torch.tensor(lengths), torch.arange(len(lengths)), torch.tensor(target), scored=context)


OUTPUTS = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)], [0.0, 9.0]], [[9.0, 0.0], [1.0, 0.0], [5.0, 0.0]]])


def test_each_real_step_counts_once() -> None:
    task = SAMPLES["tag"].ask()
    one = batch([[0, 1, 1], [0, MISSING, MISSING]], [3, 1])
    total, count = task.loss(OUTPUTS, one)
    expected = math.log(2) + math.log(4 / 3) + math.log1p(math.exp(-9)) + math.log1p(math.exp(-9))
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert int(count) == 4
    metrics = scores([task.judge(OUTPUTS, one)])
    assert metrics["loss_nats_per_step"] == pytest.approx(expected / 4, rel=1e-5)
    assert metrics["accuracy"] == 1.0
    assert metrics["macro_f1"] == 1.0


def test_context_is_not_scored() -> None:
    task = SAMPLES["tag"].ask()
    total, count = task.loss(OUTPUTS, batch([[0, 1, 1], [0, 1, 1]], [3, 2], [2, 2]))
    assert int(count) == 1
    assert float(total) == pytest.approx(math.log1p(math.exp(-9)), rel=1e-3)


def test_answers_are_as_long_as_their_rows() -> None:
    task = SAMPLES["tag"].ask()
    answers = task.answers(OUTPUTS, batch([[0, 0, 0], [0, 0, 0]], [2, 0]))
    assert answers["tags_predicted"] == [["other", "vowel"], []]
    assert answers["tags_p"] == [pytest.approx(OUTPUTS.softmax(-1)[0, :2].max(-1).values.tolist()), []]


def test_the_target_needs_a_label_for_each_step() -> None:
    data = sequences({"x": [1.0, 2.0], "y": [["a"], ["a", "b"]]}, {"x": "number", "y": "category"}, "tags.jsonl")
    with pytest.raises(DataError, match="tags.jsonl, column 'y': does not have one label for each step of the inputs"):
        Tag.roles(Question(data, ("y",), ()))
    assert Tag.recognises(Question(data, ("y",), ())) is None


@pytest.mark.parametrize(("rows", "recognised"), [(11, True), (10, False)])
def test_a_row_with_a_label_too_few_is_named_and_does_not_change_the_task(rows: int, recognised: bool) -> None:
    labels: list[list[str] | None] = [["a", "b"]] * rows
    labels[1], labels[3] = None, ["a"]  # a row without a target is left out, so it does not count
    data = sequences({"x": [[1.0, 2.0]] * rows, "y": labels}, {"x": "number", "y": "category"}, "tags.jsonl")
    question = Question(data, ("y",), ())
    assert (Tag.recognises(question) is not None) == recognised
    assert (Classify.recognises(question) is None) == recognised
    with pytest.raises(DataError, match="tags.jsonl, row 4, column 'y': 1 label for 2 steps .give each step one label"):
        Tag.roles(question)


def test_other_annotations_of_the_words_are_not_read_unless_they_are_chosen() -> None:
    words = [["a", "b"], ["b", "c"]]
    tags = {"ner_tags": [[0, 1], [1, 0]], "pos_tags": [[3, 4], [4, 5]], "shape": [["x", "X"], ["x", "x"]]}
    kinds = {"tokens": "tokens", "ner_tags": "category", "pos_tags": "category", "shape": "category"}
    data = sequences({"tokens": words, **tags}, kinds)
    assert Tag.roles(Question(data, ("ner_tags",), ())).inputs == ("tokens", "shape")
    assert Tag.roles(Question(data, ("ner_tags",), ("tokens", "pos_tags"))).inputs == ("tokens", "pos_tags")
    numbers = sequences(
        {"wave": [[1.0, 2.0]] * 2, "state": [[0, 1]] * 2, "old labels": [[0, 1]] * 2},
        {"wave": "number", "state": "category", "old labels": "category"},
    )
    assert Tag.roles(Question(numbers, ("state",), ())).inputs == ("wave", "old labels")


def test_a_target_of_one_label_is_refused() -> None:
    data = sequences({"x": [[1.0, 2.0]] * 2, "y": [["O", "O"]] * 2}, {"x": "number", "y": "category"}, "a.conll")
    with pytest.raises(DataError, match=r"a\.conll, column 'y': has only one class, so there is nothing to learn"):
        Tag.roles(Question(data, ("y",), ()))
