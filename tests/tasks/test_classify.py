from __future__ import annotations

import math

import pyarrow as pa
import pytest
import torch
from samples import SAMPLES, sequences
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import DataError
from unrolled.metrics.scoring import scores
from unrolled.tasks.classify import Classify
from unrolled.tasks.task import Question


def batch(target: Tensor) -> Batch:
    rows = torch.arange(len(target))
    return Batch({}, torch.ones_like(rows), rows, target)


def test_one_label_by_hand() -> None:
    task = SAMPLES["classify"].ask()
    assert isinstance(task, Classify)
    assert task.labels == ["no", "yes"]
    outputs, target = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, 9.0]]), torch.tensor([0, 0, 0])
    total, count = task.loss(outputs, batch(target))
    assert float(total) == pytest.approx(math.log(2) + math.log(4 / 3) + math.log(1 + math.exp(9)), rel=1e-6)
    assert int(count) == 3
    metrics = scores([task.judge(outputs, batch(target))])
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["macro_f1"] == pytest.approx((2 * 2 / (2 * 2 + 1) + 0) / 2)


def test_several_labels_by_hand() -> None:
    task = SAMPLES["classify several"].ask()
    assert isinstance(task, Classify)
    assert (task.labels, task.watch) == (["a", "b", "c"], "loss_nats_per_row")
    outputs = torch.tensor([[9.0, -9.0, -9.0], [0.0, 0.0, 5.0]])
    target = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    metrics = scores([task.judge(outputs, batch(target))])
    assert metrics["loss_nats_per_row"] == pytest.approx(math.log(2) + math.log1p(math.exp(-5)) / 2, rel=1e-3)
    assert metrics["accuracy"] == 0.5
    assert metrics["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert metrics["macro_f1"] == pytest.approx((1 + 0 + 1) / 3)
    assert task.answers(outputs, batch(target))["labels_predicted"] == [["a"], ["c"]]


def test_answers_are_the_label_and_the_chance_of_each() -> None:
    task = SAMPLES["classify"].ask()
    columns = task.answers(torch.tensor([[0.0, math.log(3)]]), batch(torch.tensor([0])))
    assert columns["label_predicted"] == ["yes"]
    assert columns["label_p_no"] == pytest.approx([0.25])
    assert columns["label_p_yes"] == pytest.approx([0.75])


def test_labels_come_back_as_they_were() -> None:
    task = SAMPLES["classify a plain row"].ask()
    assert task.answers(torch.tensor([[0.0, 1.0]]), batch(torch.tensor([0])))["passed_predicted"] == [True]


@pytest.mark.parametrize(
    ("column", "kind", "reason"),
    [
        (["x", "y", "x", "y"], "category", "'y' has 2 labels"),
        ([1, 2, 3, 2], "number", "'y' has 3 labels"),
        ([True, False, True, True], "category", "'y' has 2 labels"),
        ([1.0, 2.0, 1.0, 2.0], "number", None),
        (list(range(11)), "number", None),
        ([["a", "b"], [], ["a"], ["c"]], "category", "each cell of 'y' is a set of labels"),
        ([[1, 2], [], [1], [3]], "category", "each cell of 'y' is a set of labels"),
    ],
)
def test_what_a_label_is(column: list[object], kind: str, reason: str | None) -> None:
    data = sequences({"text": ["abcd"] * len(column), "y": column}, {"text": "tokens", "y": kind})
    assert Classify.recognises(Question(data, ("y",), ())) == (None if reason is None else (80, reason))


@pytest.mark.parametrize("labels", [["p", "n", None], [3, 1, 3]])
def test_a_categorical_column_holds_labels(labels: list[object]) -> None:
    data = sequences({"x": [1, 2, 3], "y": pa.array(labels).dictionary_encode()}, {"x": "number", "y": "category"})
    question = Question(data, ("y",), (), None)
    assert Classify.recognises(question) == (80, "'y' has 2 labels")
    assert Classify.roles(question).target == "y"


def test_a_label_for_each_step_is_no_set() -> None:
    data = sequences({"x": [[1.0, 2.0], [3.0]], "y": [["a", "b"], ["a"]]}, {"x": "number", "y": "category"})
    assert Classify.recognises(Question(data, ("y",), ())) is None


@pytest.mark.parametrize("column", [["x", "x"], [["x"], ["x", "x"]], [1, 1]])
def test_a_single_class_is_an_error(column: list[object]) -> None:
    data = sequences({"text": ["a", "b"], "y": column}, {"text": "tokens", "y": "category"}, "reviews.csv")
    with pytest.raises(
        DataError, match=r"reviews.csv, column 'y': has only one class, so there is nothing to learn \(use data"
    ):
        Classify.roles(Question(data, ("y",), ()))


def test_empty_cells_are_no_class() -> None:
    data = sequences({"text": ["a", "b"], "y": ["x", None]}, {"text": "tokens", "y": "category"})
    with pytest.raises(DataError, match="has only one class"):
        Classify.roles(Question(data, ("y",), ()))


def test_there_must_be_something_to_learn_from() -> None:
    data = sequences({"y": ["x", "z"]}, {"y": "category"})
    with pytest.raises(DataError, match="the target is the only column"):
        Classify.roles(Question(data, ("y",), ()))


def test_a_network_starts_with_how_many_rows_have_each_label_however_often_a_row_has_it() -> None:
    cells = [["a", "a", "b"], ["a", "a"], ["a"], []]
    data = sequences({"x": [1.0, 2.0, 3.0, 4.0], "labels": cells}, {"x": "number", "labels": "category"})
    coder = Preprocessor.fit(data, Classify.roles(Question(data, ("labels",), ())), Preparation())
    task = Classify(Classify.Options(), coder)
    prior = task.measure_training(coder.encode(data)).prior
    assert prior is not None
    assert prior.tolist() == pytest.approx([math.log(3.5 / 1.5), math.log(1.5 / 3.5)])


def test_whole_numbers_that_are_all_different_are_no_labels() -> None:
    for target, labels in ([1, 2, 3, 4, 5, 6], False), ([1, 2, 3, 4, 5, 5], True), ([0, 1], True):
        data = sequences({"x": [0.5] * len(target), "y": target}, {"x": "number", "y": "number"})
        assert (Classify.recognises(Question(data, ("y",), ())) is not None) == labels
