from __future__ import annotations

import math

import pytest
import torch
from configs import task_options
from samples import SAMPLES, sequences

from unrolled.batch import MISSING, Batch
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import DataError, UsageError
from unrolled.metrics.scoring import scores
from unrolled.tasks.next_step import NextStep
from unrolled.tasks.task import Question, Task

NORMAL = 0.5 * math.log(2 * math.pi)


def batch(target: torch.Tensor, lengths: list[int], **inputs: torch.Tensor) -> Batch:
    return Batch(inputs, torch.tensor(lengths), torch.arange(len(lengths)), target)


def test_tokens_by_hand() -> None:
    task = SAMPLES["next_step"].ask()
    assert (task.outputs, task.watch) == (6, "loss_nats_per_token")
    outputs = torch.zeros(1, 3, 6)
    outputs[0, 1, 4] = 50.0
    one = batch(torch.tensor([[3, 4, MISSING]]), [2])
    metrics = scores([task.judge(outputs, one)])
    assert metrics == {
        "loss_nats_per_token": pytest.approx(math.log(6) / 2),
        "accuracy": 0.5,
        "bits_per_character": pytest.approx(math.log2(6) / 2),
    }


def test_tokens_that_are_no_characters_have_bits_per_token() -> None:
    data = sequences({"text": ["a b", "b a"]}, {"text": "tokens"})
    roles = NextStep.roles(Question(data, (), ()))
    task = NextStep(task_options("next_step"), Preprocessor.fit(data, roles, Preparation(tokens="words")))
    outputs = torch.zeros(1, 2, task.outputs)
    assert "bits_per_token" in scores([task.judge(outputs, batch(torch.tensor([[3, 4]]), [2]))])


def test_several_at_once_by_hand() -> None:
    task = SAMPLES["next_step several"].ask()
    assert (task.outputs, task.watch) == (3, "nll_nats_per_step")
    target = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    metrics = scores([task.judge(torch.zeros(1, 2, 3), batch(target, [2]))])
    assert metrics == {"nll_nats_per_step": pytest.approx(3 * math.log(2))}


def test_real_vectors_by_hand() -> None:
    task = SAMPLES["next_step real"].ask()
    assert (task.outputs, task.watch) == (2, "nll_nats_per_step")
    current, target = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[1.5], [math.nan]]])
    outputs = torch.tensor([[[0.25, math.log(2)], [9.0, 9.0]]])
    total, count = task.loss(outputs, batch(target, [2], wave=current))
    assert float(total) == pytest.approx(0.5 * (0.25 / 2) ** 2 + math.log(2) + NORMAL, rel=1e-6)
    assert int(count) == 1  # the other step has no known value
    metrics = scores([task.judge(outputs, batch(target, [1], wave=current))])
    assert metrics["mse_scaled"] == pytest.approx(0.0625)
    assert metrics["mae_scaled"] == pytest.approx(0.25)


def test_a_scale_never_collapses() -> None:
    task = SAMPLES["next_step real"].ask()
    zeros = torch.zeros(1, 1, 1)
    total, _ = task.loss(torch.tensor([[[0.0, -1e9]]]), batch(zeros, [1], wave=zeros))
    assert float(total) == pytest.approx(-7 + NORMAL)


def test_the_answer_is_what_follows_the_last_real_step() -> None:
    task = SAMPLES["next_step"].ask()
    outputs = torch.zeros(2, 3, 6)
    outputs[0, 1, 3], outputs[1, 2, 5] = 9.0, 9.0
    answers = task.answers(outputs, batch(torch.zeros(2, 3), [2, 3]))
    assert answers["text_predicted"] == ["a", "c"]
    assert all(chance > 0.99 for chance in answers["text_p"])


def test_real_answers_are_in_the_columns_own_units() -> None:
    task = SAMPLES["next_step real"].ask()
    mean, std = float(task.coder.answer.mean[0]), float(task.coder.answer.std[0])  # type: ignore[attr-defined]
    wave = torch.tensor([[[0.5]]])
    answers = task.answers(torch.tensor([[[0.25, math.log(2)]]]), batch(wave, [1], wave=wave))
    assert answers["wave_predicted"][0] == pytest.approx([0.75 * std + mean], rel=1e-5)
    assert answers["wave_sigma"][0] == pytest.approx([2 * std], rel=1e-5)


# --- what is continued -------------------------------------------------------------------------------------------


def roles(task_inputs: tuple[str, ...] = (), target: tuple[str, ...] = ()) -> tuple[tuple[str, ...], str]:
    data = sequences(
        {"text": ["ab", "b"], "a": [[1.0, 2.0], [3.0]], "b": [[1.0, 2.0], [3.0]], "label": ["x", "x"], "n": [1.0, 2.0]},
        {"text": "tokens", "a": "number", "b": "number", "label": "category", "n": "number"},
    )
    found = NextStep.roles(Question(data, target, task_inputs))
    return found.inputs, found.target


def test_the_column_is_chosen_or_named() -> None:
    assert roles(target=("text",)) == (("text",), "text")
    assert roles(target=("a", "b")) == (("series",), "series")
    assert roles(target=("a",)) == (("a",), "a")
    assert roles(("text", "n"), ("text",)) == (("text", "n"), "text")
    assert roles(("n",), ("text",)) == (("text", "n"), "text")
    with pytest.raises(UsageError, match="several columns can be continued: text, a, b; choose one with target"):
        roles()
    with pytest.raises(DataError, match="column 'txt': there is no such column"):
        roles(target=("txt",))
    with pytest.raises(DataError, match=r"column 'n': is number, not a number for each step \(if each row is one step"):
        roles(target=("n",))


def test_short_texts_that_come_again_are_read_not_taken_for_labels() -> None:
    data = sequences({"tune": ["ab", "ab", "ba", "ba"]}, {"tune": "category"})
    assert NextStep.roles(Question(data, (), ())).kinds == {"tune": "tokens"}
    assert NextStep.roles(Question(data, ("tune",), ())).kinds == {"tune": "tokens"}


def test_where_nothing_has_steps_there_is_nothing_to_continue() -> None:
    data = sequences({"n": [1.0], "b": [True]}, {"n": "number", "b": "category"})
    with pytest.raises(DataError, match=r"no column holds sequences to continue \(choose one with target\)"):
        NextStep.roles(Question(data, (), ()))
    captions = sequences(
        {"image": [b"a", b"b"], "caption": ["a b c d", "e f g"]}, {"image": "image", "caption": "tokens"}
    )
    with pytest.raises(
        DataError, match="no column holds sequences to continue"
    ):  # what is said of a picture is no text
        NextStep.roles(Question(captions, (), ()))
    assert NextStep.roles(Question(captions, ("caption",), ())).target == "caption"
    with pytest.raises(DataError, match="column 'b': holds one value per row, so there is no next step to predict"):
        NextStep.roles(Question(data, ("b",), ()))


def test_labels_of_steps_are_tokens_too() -> None:
    data = sequences({"clicks": [[5, 9, 5], [9, 5]]}, {"clicks": "category"})
    found = NextStep.roles(Question(data, (), ()))
    task: Task = NextStep(task_options("next_step"), Preprocessor.fit(data, found, Preparation()))
    assert task.outputs == 3  # unknown, 5 and 9
    outputs = torch.zeros(1, 2, 3)
    outputs[..., 2] = 9.0
    one = batch(torch.tensor([[1, 2]]), [2])
    assert task.answers(outputs, one)["clicks_predicted"] == [9]
    assert "bits_per_token" in scores([task.judge(outputs, one)])


def test_a_missing_note_is_not_scored() -> None:
    task = SAMPLES["next_step several"].ask()
    outputs = torch.zeros(1, 3, 3)
    target = torch.tensor([[[1.0, 0.0, math.nan], [1.0, 1.0, 1.0], [math.nan] * 3]])
    total, count = task.loss(outputs, batch(target, [3], keys=target))
    assert float(total) == pytest.approx(5 * math.log(2))
    assert int(count) == 2
