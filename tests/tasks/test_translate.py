from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from configs import model_config, task_options
from samples import sequences
from torch import Tensor

import unrolled as ur
from unrolled import api
from unrolled.batch import Batch
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import DataError, UsageError
from unrolled.metrics.scoring import scores
from unrolled.models.encoder_decoder import EncoderDecoder, SearchStart, Written
from unrolled.tasks.task import Question
from unrolled.tasks.translate import Translate

TEXTS = ["ab", "ba", "aab", "b", "abab", "bb"]
DATA = {"text": TEXTS, "spoken": [[letter.upper() for letter in reversed(text)] for text in TEXTS]}


def task(**options: Any) -> Translate:
    data = sequences(DATA, {"text": "tokens", "spoken": "tokens"})
    roles = Translate.roles(Question(data, ("spoken",), ()))
    return Translate(
        task_options("translate", **options), Preprocessor.fit(data, roles, Preparation(tokens="characters"))
    )


def batch(rows: list[list[int]]) -> Batch:
    lengths = torch.tensor([len(row) for row in rows])
    target = torch.full((len(rows), int(lengths.max())), -100)
    for row, ids in enumerate(rows):
        target[row, : len(ids)] = torch.tensor(ids)
    ids = torch.full((len(rows), 2), 3)
    return Batch({"text": ids}, torch.full((len(rows),), 2), torch.arange(len(rows)), target, lengths)


class _Fixed(EncoderDecoder):
    """Writes ids 3, 4 and ends, whatever it read."""

    def step(self, symbols: Tensor, state: Any) -> tuple[Tensor, Any]:
        following = {1: 3, 3: 4, 4: 2}
        best = torch.tensor([following.get(int(symbol), 2) for symbol in symbols])
        return 9.0 * torch.nn.functional.one_hot(best, 5).float(), state


def written(question: Translate, rows: Batch, logits: Tensor | None) -> Written:
    specs = {name: encoding.spec for name, encoding in question.coder.inputs.items()}
    model = _Fixed(specs, model_config(name="gru", hidden=4), question.outputs)
    model.longest.fill_(5)
    return Written(logits, SearchStart(model.step, model.read(rows.inputs, rows.lengths), 5))


def test_the_first_bias_is_of_what_is_to_be_written() -> None:
    """``<begin>`` stands before every target and is never asked for: only ``<end>`` is, of the specials."""
    question = task()
    train = question.coder.encode(sequences(DATA, {"text": "tokens", "spoken": "tokens"}))
    prior = question.measure_training(train).prior
    counts = [0, 0, len(TEXTS), *(sum(text.count(letter) for text in TEXTS) for letter in "ab")]
    answer = question.coder.answer
    order = [0, 1, 2, *(3 + ["A", "B"].index(answer.decode(torch.tensor([id_]).numpy())[0]) for id_ in (3, 4))]
    wanted = torch.tensor([counts[place] + 1.0 for place in order])
    torch.testing.assert_close(prior, torch.log(wanted / wanted.sum()))


def test_each_symbol_but_the_first_is_asked_for() -> None:
    question, rows = task(), batch([[1, 3, 2], [1, 2]])
    logits = torch.zeros(3, question.outputs)
    logits[1, 2] = math.log(4)  # of 8 parts <end> has 4: ids 0 … 4 are <unknown>, <begin>, <end>, A, B
    total, count = question.loss(written(question, rows, logits), rows)
    assert question.outputs == 5
    assert int(count) == 3
    assert float(total) == pytest.approx(2 * math.log(5) + math.log(2), rel=1e-5)


def test_label_smoothing_is_in_the_loss_and_not_in_the_metrics() -> None:
    rows = batch([[1, 3, 2]])
    logits = torch.tensor([[0.0, 0, 0, 3, 0], [0.0, 0, 3, 0, 0]])
    plain, smooth = task(), task(label_smoothing=0.5)
    outputs = written(plain, rows, logits)
    assert float(smooth.loss(outputs, rows)[0]) > float(plain.loss(outputs, rows)[0])
    assert scores([smooth.judge(outputs, rows)]) == scores([plain.judge(outputs, rows)])


def test_answers_are_measured_by_their_edits() -> None:
    """The model writes 3 4: right, one too few, and one too many."""
    question, rows = task(), batch([[1, 3, 4, 2], [1, 3, 4, 4, 2], [1, 3, 2]])
    metrics = scores([question.judge(written(question, rows, torch.zeros(9, 5)), rows)])
    assert metrics["token_error_rate"] == pytest.approx(2 / 6)
    assert metrics["exact_match"] == pytest.approx(1 / 3)
    assert question.chooses == "token_error_rate"


def test_answers_have_the_form_of_the_target() -> None:
    question, rows = task(), batch([[1, 2]])
    assert question.answers(written(question, rows, None), rows) == {
        "spoken_predicted": [["B", "A"]]
    }  # B is the commoner


def test_it_is_chosen_for_a_text_of_its_own() -> None:
    data = sequences(DATA, {"text": "tokens", "spoken": "tokens"})
    assert Translate.recognises(Question(data, ("spoken",), ())) == (40, "'spoken' is a text with its own length")
    assert Translate.recognises(Question(data, (), ())) is None


WORDS = [" ".join(letters) for size in range(1, 5) for letters in product("abc", repeat=size)]
REVERSED = {"text": WORDS, "spoken": [word[::-1] for word in WORDS]}
SMALL: Any = {"target": "spoken", "task": "translate", "tokens": "words", "hidden": 32, "lr": 1e-2, "batch": 24}


def test_reversing_is_learned(tmp_path: Any) -> None:
    trained = api.fit(REVERSED, out=tmp_path / "run", model="gru", steps=250, beam=2, **SMALL)
    assert trained.metrics["valid"]["exact_match"] > 0.8
    again = api.load(tmp_path / "run")
    answers = again.predict(["a b c", "c a"])
    assert answers.column("spoken_predicted").to_pylist() == ["c b a", "a c"]
    assert again.evaluate(REVERSED, beam=1)["exact_match"] > 0.9
    assert again.predict(["", "a b c"]).num_rows == 2  # a source of no steps has an answer
    with pytest.raises(UsageError, match="this model reads each sequence whole before it writes its answer"):
        again.stream()
    with pytest.raises(UsageError, match="beam must be at least 1, got 0"):
        again.predict(["a"], beam=0)


@pytest.mark.parametrize("model", ["transformer", "deltanet"])
def test_models_without_recurrent_cells_learn_too(model: str, tmp_path: Any) -> None:
    trained = api.fit(REVERSED, out=tmp_path / "run", model=model, steps=120, **SMALL | {"lr": 3e-3})
    commonest = trained.baselines["valid"]["commonest answer"]["token_error_rate"]
    assert trained.metrics["valid"]["token_error_rate"] < commonest


def test_one_becomes_many(tmp_path: Any) -> None:
    """Captions of rows without time."""
    rows = list(product(["red", "blue", "green", "black"], ["circle", "square", "star"])) * 4
    data = {
        "colour": [colour for colour, _ in rows],
        "shape": [shape for _, shape in rows],
        "caption": [f"a {colour} {shape}" for colour, shape in rows],
    }
    options: Any = {
        "target": "caption",
        "task": "translate",
        "model": "gru",
        "hidden": 24,
        "steps": 120,
        "lr": 1e-2,
        "plan": "fixed",
    }
    trained = api.fit(data, out=tmp_path / "run", tokens="words", attention="none", embedding=0, **options)
    assert trained.metrics["valid"]["exact_match"] == 1.0
    found = trained.predict({"colour": ["green", "red"], "shape": ["star", "star"]})
    assert found.column("caption_predicted").to_pylist() == ["a green star", "a red star"]


def test_one_vocabulary_for_both_sides() -> None:
    data = sequences({"a": ["x y", "y"], "b": ["y z", "z"]}, {"a": "tokens", "b": "tokens"})
    roles = Translate.roles(Question(data, ("b",), ()))
    coder = Preprocessor.fit(data, roles, Preparation(tokens="words", shared=True))
    assert coder.inputs["a"].spec == coder.answer.spec
    assert coder.answer.encode(pa.chunked_array([["x"]]), data.where("b")).values.tolist()[1:-1] == [
        *coder.inputs["a"].encode(pa.chunked_array([["x"]]), data.where("a")).values
    ]
    with pytest.raises(DataError, match="a shared vocabulary needs one text input and a text target"):
        Preprocessor.fit(
            sequences(DATA, {"text": "tokens", "spoken": "tokens"}),
            Translate.roles(Question(sequences(DATA, {"text": "tokens", "spoken": "tokens"}), ("spoken",), ())),
            Preparation(shared=True),
        )


DIGITS = [f"{a} {b}" for a in range(5) for b in range(5)]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_digits_are_written_as_texts_are(tmp_path: Path, suffix: str) -> None:
    """A target that is written is no amount, though its cells look like lists of numbers."""
    lists = "\n".join(json.dumps({"a": f"say {x}", "b": [int(y) for y in x.split()]}) for x in DIGITS)
    texts = "a,b\n" + "\n".join(f"say {x},{x}" for x in DIGITS)
    data = tmp_path / f"digits.{suffix}"
    data.write_text(texts if suffix == "csv" else lists)
    one = tmp_path / f"one.{suffix}"  # with cells of one digit each, which alone would be numbers
    one.write_text("a,b\nsay 1,1\nsay 2,2\n" if suffix == "csv" else '{"a": "say 1", "b": [1]}\n')
    model = api.fit(
        data, target="b", task="translate", hidden=4, steps=1, valid=str(one), out=tmp_path / "run", tokens="words"
    )
    assert model.config.data.kinds == {}
    assert len(model.task.coder.answer.level.symbols()) == 5  # type: ignore[attr-defined]
    assert 0 <= model.evaluate(one)["exact_match"] <= 1
    answer = model.predict(one)["b_predicted"][0].as_py()
    assert isinstance(answer, str if suffix == "csv" else list)


def test_texts_are_judged_as_texts_and_so_are_the_baselines(tmp_path: Path) -> None:
    """The error rate of tokens would keep the weights of a model that writes next to nothing."""
    data = {"read": ["a", "b", "c", "d"] * 8, "said": ["The Cat, sat.", "A dog: ran!", "The end", "No  more"] * 8}
    trained = ur.fit(
        data,
        target="said",
        task="translate",
        hidden=8,
        steps=4,
        kinds=dict.fromkeys(data, "tokens"),
        out=tmp_path / "run",
    )
    assert trained.task.chooses == "chrf"
    assert {"bleu", "chrf"} <= trained.metrics["valid"].keys()
    assert all("chrf" in values for values in trained.baselines["valid"].values())
    lists = {"read": [["a"], ["b"]] * 8, "said": [["x", "y"], ["z"]] * 8}
    phonemes = ur.fit(lists, target="said", task="translate", hidden=4, steps=2, out=tmp_path / "lists")
    assert phonemes.task.chooses == "token_error_rate" and "chrf" not in phonemes.metrics["valid"]


def test_what_is_written_is_ordinary_text(tmp_path: Path) -> None:
    said = ["The Cat, it sat.", "“No”  – l'été!"]
    data = {"read": ["a", "b"] * 16, "said": said * 16}
    flags: dict[str, Any] = {"hidden": 16, "steps": 80, "lr": 0.03, "beam": 1, "kinds": dict.fromkeys(data, "tokens")}
    for level in (None, "words"):
        out = tmp_path / str(level)
        trained = ur.fit(data, target="said", task="translate", tokens=level, out=out, **flags)
        assert trained.predict({"read": ["a", "b"]}).column("said_predicted").to_pylist() == said
