from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from configs import task_options
from samples import SAMPLES, sequences

import unrolled as ur
from unrolled.batch import MISSING, Batch
from unrolled.data.examples.live_row import LiveRow
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.form import form_of, numbers_of
from unrolled.data.forms.unaligned import Unaligned
from unrolled.errors import DataError, ShapeError, UsageError
from unrolled.metrics.scoring import scores
from unrolled.tasks.task import Question
from unrolled.tasks.transcribe import Transcribe

A, B_, C = 3, 4, 5  # the ids of the letters; 0 is the blank, and 1 and 2 begin and end texts elsewhere


def batch(targets: list[list[int]], lengths: list[int]) -> Batch:
    longest = max([1, *map(len, targets)])
    padded = torch.tensor([row + [MISSING] * (longest - len(row)) for row in targets])
    return Batch({}, torch.tensor(lengths), torch.arange(len(lengths)) + 7, padded, torch.tensor([*map(len, targets)]))


def frames(rows: list[list[int]], size: int = 6, sure: float = 20.0) -> torch.Tensor:
    return sure * torch.nn.functional.one_hot(torch.tensor(rows), size).float()


def test_the_loss_is_the_sum_over_all_alignments() -> None:
    task = SAMPLES["transcribe"].ask()
    assert (task.outputs, task.watch) == (6, "loss_nats_per_token")
    outputs = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    targets, lengths = [[A, B_], [A, A], [], [C]], [5, 3, 2, 1]
    chances = outputs.double().softmax(2).numpy()
    nats = 0.0
    for row, (target, length) in enumerate(zip(targets, lengths, strict=True)):
        total = 0.0
        for path in itertools.product(range(6), repeat=length):
            if [one for one, _ in itertools.groupby(path) if one] == target:
                total += float(np.prod([chances[row, t, symbol] for t, symbol in enumerate(path)]))
        nats -= math.log(total)
    total, count = task.loss(outputs, batch(targets, lengths))
    assert float(total) == pytest.approx(nats, rel=1e-5)
    assert int(count) == 5


def test_metrics_by_hand() -> None:
    task = SAMPLES["transcribe"].ask()
    # greedy answers: aab, b, and nothing
    outputs = frames([[A, 0, A, B_, B_], [B_, B_, 0, C, C], [0, 0, A, A, A]])
    one = batch([[A, A, B_], [B_, C], []], [5, 3, 2])
    metrics = scores([task.judge(outputs, one)])
    assert metrics["token_error_rate"] == pytest.approx(1 / 5)
    assert metrics["exact_match"] == pytest.approx(2 / 3)
    assert task.chooses == "token_error_rate"


def test_empty_targets_and_rows_are_fine() -> None:
    task = SAMPLES["transcribe"].ask()
    outputs = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
    empty = batch([[], [], []], [4, 1, 0])
    total, count = task.loss(outputs, empty)
    blank = outputs.log_softmax(2)[:, :, 0]
    assert float(total.detach()) == pytest.approx(-float((blank[0].sum() + blank[1, 0]).detach()), rel=1e-5)
    assert int(count) == 0
    (gradient,) = torch.autograd.grad(total, outputs)
    assert gradient.isfinite().all()
    assert not gradient[2].any()
    metrics = scores([task.judge(outputs.detach(), empty)])
    assert all(math.isfinite(value) for value in metrics.values())


def test_a_row_is_judged_the_same_alone_and_in_company() -> None:
    task = SAMPLES["transcribe"].ask()
    outputs = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(2))
    targets, lengths = [[A, B_, C], [A], [C, C]], [6, 2, 3]
    together = task.loss(outputs, batch(targets, lengths))[0]
    alone = [
        task.loss(outputs[row : row + 1, :length], batch([target], [length]))[0]
        for row, (target, length) in enumerate(zip(targets, lengths, strict=True))
    ]
    assert float(together) == pytest.approx(float(sum(alone)), rel=1e-6)


def test_answers_are_texts_of_a_beam_search() -> None:
    task = SAMPLES["transcribe"].ask()
    outputs = frames([[A, 0, A, B_, B_], [B_, B_, 0, C, C], [0, 0, A, A, A]])
    asked = Batch({}, torch.tensor([5, 3, 2]), torch.arange(3))
    assert task.answers(outputs, asked) == {"text_predicted": ["aab", "b", ""]}
    # Twice blank is the likeliest alignment, but an a is likelier than none: the beam finds it, greedy does not.
    close = torch.tensor([[[0.5, 0, 0, 0.45, 0, 0], [0.5, 0, 0, 0.45, 0, 0]]]).clamp(min=1e-9).log()
    two = Batch({}, torch.tensor([2]), torch.arange(1))
    assert task.answers(close, two) == {"text_predicted": ["a"]}
    narrow = Transcribe(task_options("transcribe", beam=1), task.coder)
    assert narrow.answers(close, two) == {"text_predicted": [""]}
    metrics = scores([task.judge(close, batch([[A]], [2]))])
    assert metrics["token_error_rate"] == 1  # judged by the greedy answer


def test_it_begins_with_the_frequencies_of_training() -> None:
    sample = SAMPLES["transcribe"]
    task = sample.ask()
    train = sample.examples(task)
    assert train.target is not None
    letters, steps = train.target.values, int(train.steps().sum())
    counts = np.array([1 + steps - len(letters), 1, 1, *(1 + (letters == letter).sum() for letter in (A, B_, C))])
    prior = task.measure_training(train).prior
    assert prior is not None
    np.testing.assert_allclose(prior.exp(), counts / counts.sum(), rtol=1e-5)


def test_a_target_that_cannot_be_told_is_refused_with_its_row() -> None:
    task = SAMPLES["transcribe"].ask()
    outputs = torch.zeros(2, 4, 6)
    task.loss(outputs, batch([[A, A], [A, B_, C]], [3, 3]))
    with pytest.raises(ShapeError) as caught:
        task.loss(outputs, batch([[A], [A, B_, B_]], [1, 3]))
    assert str(caught.value) == "the target of example 8 has 3 tokens, which need at least 4 steps; it has 3"
    with pytest.raises(ShapeError, match="the target of example 7 has 1 tokens, which need at least 1 steps; it has 0"):
        task.loss(outputs, batch([[A], [A]], [0, 3]))
    with pytest.raises(ShapeError) as caught:
        task.loss(outputs, batch([[A], [A, 0]], [4, 4]))
    assert str(caught.value) == "the target of example 8 holds id 0, which is reserved for the blank"


def test_a_letter_that_training_did_not_see_is_refused() -> None:
    sample = SAMPLES["transcribe"]
    data = sequences({"wave": [[1.0, 2.0]], "text": ["x"]}, {"wave": "number", "text": "tokens"}, "new.jsonl")
    with pytest.raises(DataError, match="new.jsonl, row 1, column 'text': its token 1 was not in the training data"):
        sample.ask().coder.encode(data)


# --- when it is asked --------------------------------------------------------------------------------------------

DATA = sequences(
    {"wave": [[1.0, 2.0]], "text": ["ab"], "other": ["xyz"], "words": [["a"]], "size": [1.0], "pair": [["a", "b"]]},
    {"wave": "number", "text": "tokens", "other": "tokens", "words": "tokens", "size": "number", "pair": "tokens"},
    "clips.jsonl",
)


def reason(target: tuple[str, ...], inputs: tuple[str, ...] = ()) -> str | None:
    recognised = Transcribe.recognises(Question(DATA, target, inputs))
    return None if recognised is None else recognised.reason


def test_texts_of_measured_steps_are_recognised() -> None:
    assert reason(("text",)) == "'text' is a text and 'wave' has numbers for each step"
    assert reason(("words",), ("wave",)) == "'words' is a text and 'wave' has numbers for each step"
    assert reason(("pair",), ("wave",)) is None  # one for each step: those are tags
    assert reason(("text",), ("other",)) is None  # one text for another
    assert reason(("text",), ("size",)) is None
    assert reason(("size",)) is None
    assert reason(()) is None


def test_roles() -> None:
    roles = Transcribe.roles(Question(DATA, ("text",), ("wave",)))
    assert (roles.inputs, roles.target, roles.form, roles.kinds) == (("wave",), "text", Unaligned(), {"text": "tokens"})
    with pytest.raises(UsageError, match="target must name one column, not 0"):
        Transcribe.roles(Question(DATA, (), ()))
    with pytest.raises(UsageError, match="'text' is the target, so it cannot be an input as well"):
        Transcribe.roles(Question(DATA, ("text",), ("text", "wave")))


def test_lists_of_words_are_answered_as_lists() -> None:
    data = sequences({"wave": [[1.0] * 4] * 2, "phones": [["AH", "B"], ["B"]]}, {"wave": "number", "phones": "tokens"})
    roles = Transcribe.roles(Question(data, ("phones",), ()))
    task = Transcribe(task_options("transcribe"), Preprocessor.fit(data, roles, Preparation()))
    assert task.outputs == 5
    asked = Batch({}, torch.tensor([3]), torch.arange(1))
    first = int(task.coder.encode(data).target.values[0])  # type: ignore[union-attr]
    assert task.answers(frames([[first, 0, first]], 5), asked) == {"phones_predicted": [["AH", "AH"]]}


def test_a_text_is_spelt_unless_told_otherwise(tmp_path: Path) -> None:
    rows = {"frames": [np.zeros((9, 2)).tolist()] * 4, "word": ["no one", "one", "no", "none"]}
    said: list[str] = []
    options: dict[str, Any] = {"target": "word", "task": "transcribe", "hidden": 4, "steps": 1, "out": tmp_path / "run"}
    ur.fit(rows, say=said.append, **options)
    assert any(line.startswith("target word: 4 characters") for line in said)


def test_repeated_steps_hold_a_longer_answer(tmp_path: Path) -> None:
    """Each letter has two sounds, so that one step a letter is too few; read three times it is enough."""
    sounds = {"a": ["A", "B"], "c": ["C", "D"]}
    words = ["".join(letters) for size in (1, 2, 3) for letters in itertools.product("ac", repeat=size)]
    table = {"word": words * 6, "sounds": [[s for letter in word for s in sounds[letter]] for word in words] * 6}
    asked: dict[str, Any] = {
        "task": "transcribe",
        "target": "sounds",
        "tokens": "characters",
        "valid": 0,
        "quiet": True,
    }
    with pytest.raises(DataError, match="but its inputs have 1 .*read each step more often with repeat_inputs"):
        ur.fit(table, **asked, out=tmp_path / "short", steps=1)
    own: dict[str, Any] = {
        "kinds": {"word": "tokens"},
        "model": "bigru",
        "hidden": 32,
        "batch": 14,
        "lr": 1e-2,
        "steps": 120,
    }
    ur.fit(table, **asked, **own, repeat_inputs=3, out=tmp_path / "run")
    trained = ur.load(tmp_path / "run")
    assert trained.task.coder.encode(sequences({"word": ["ca"]}, {"word": "tokens"}), with_target=False).steps() == [6]
    found = trained.predict({"word": ["ca", "aac"]})
    assert found.column("sounds_predicted").to_pylist() == [["C", "D", "A", "B"], ["A", "B", "A", "B", "C", "D"]]


def test_a_run_from_before_repeated_steps_reads_each_once() -> None:
    assert form_of("unaligned", {"horizon": 0}) == Unaligned()
    assert form_of("unaligned", numbers_of(Unaligned(3))) == Unaligned(3)


def test_a_live_step_is_repeated_too() -> None:
    data = sequences({"x": [[1.0, 2.0]], "text": ["ab"]}, {"x": "number", "text": "tokens"})
    coder = Preprocessor.fit(data, Roles(("x",), "text", Unaligned(2)), Preparation(tokens="characters"))
    live = [step["x"] for value in (1.0, 2.0) for step in LiveRow(coder).encode(value)[0]]
    assert np.array_equal(np.stack(live), coder.encode(data).inputs["x"].values)
    assert len(live) == 4
