from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from samples import SAMPLES, sequences, training

import unrolled as ur
from unrolled.batch import MISSING, Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.forms.fill import FillIn
from unrolled.errors import DataError, UsageError
from unrolled.layers.factory import model_names
from unrolled.metrics.scoring import scores
from unrolled.tasks.fill import Fill
from unrolled.tasks.task import Question
from unrolled.training.plans import evaluation_plan
from unrolled.training.trainer import Trainer

ENCODERS = [name for name in ("bigru", "bilstm", "bitransformer") if name in model_names()]

# Which sound is heard, the animal alone tells; which animal, its sound. A unigram knows neither.
SOUNDS = {"dog": "barks", "cat": "purrs", "cow": "moos", "duck": "quacks", "wolf": "howls", "lion": "roars"}


def animals(rows: int, seed: int = 0) -> list[str]:
    dice = random.Random(seed)
    return [
        " ".join(f"{animal} {SOUNDS[animal]}" for animal in dice.choices(list(SOUNDS), k=dice.randint(2, 4)))
        for _ in range(rows)
    ]


# --- the loss and the metrics ------------------------------------------------------------------------------------


def batch(target: list[list[int]], lengths: list[int], ids: list[list[int]] | None = None) -> Batch:
    inputs = {} if ids is None else {"text": torch.tensor(ids)}
    return Batch(inputs, torch.tensor(lengths), torch.arange(len(lengths)), torch.tensor(target))


def test_hidden_steps_alone_count() -> None:
    task = SAMPLES["fill"].ask()
    assert task.outputs == 6
    outputs = torch.zeros(2, 3, 6)
    outputs[0, 1, 4] = math.log(5)  # 5 of 10
    outputs[1, 0, 3] = math.log(15)  # 1 of 20 is left for the right one
    outputs[1, 2] = math.nan
    one = batch([[MISSING, 4, MISSING], [5, MISSING, MISSING]], [3, 2])
    total, count = task.loss(outputs, one)
    assert float(total) == pytest.approx(math.log(2) + math.log(20), rel=1e-5)
    assert int(count) == 2
    metrics = scores([task.judge(outputs, one)])
    assert metrics == pytest.approx({"loss_nats_per_token": math.log(40) / 2, "accuracy": 0.5}, rel=1e-5)
    assert task.chooses == "loss_nats_per_token"


# --- the answers ---------------------------------------------------------------------------------------------------


def test_unknown_tokens_are_filled_in_with_the_likeliest_known_one() -> None:
    task = SAMPLES["fill"].ask()  # characters a, b, c: 3, 4, 5
    outputs = torch.zeros(2, 3, 6)
    outputs[..., :3] = 9.0  # what no token can be is no answer, however likely
    outputs[0, 1, 4] = math.log(2)  # 2 of 4
    outputs[1, 0, 5] = math.log(8)  # 8 of 10
    ids = [[3, 0, 5], [0, 0, 0]]
    found = task.answers(outputs, batch([[MISSING] * 3] * 2, [3, 1], ids))
    assert found["text_predicted"] == ["abc", "c"]
    assert [[round(p, 5) for p in row] for row in found["text_p"]] == [[0.5], [0.8]]
    assert task.answers(outputs[:1], batch([[MISSING] * 3], [0], [[0, 0, 0]])) == {
        "text_predicted": [""],
        "text_p": [[]],
    }


def test_lists_of_words_are_answered_by_lists(tmp_path: Path) -> None:
    rows = [text.split() for text in animals(150)]
    model = ur.fit(
        {"words": rows}, task="fill", model="bigru", hidden=16, steps=150, lr=0.02, valid=0, out=tmp_path / "run"
    )
    table = model.predict({"words": [["dog", "?"], ["?", "purrs", "lion", "?"], [], ["cow"]]})
    filled = [["dog", "barks"], ["cat", "purrs", "lion", "roars"], [], ["cow"]]
    assert table.column("words_predicted").to_pylist() == filled
    assert [len(row) for row in table.column("words_p").to_pylist()] == [1, 2, 0, 0]


# --- what may be asked ---------------------------------------------------------------------------------------------

TABLE = sequences(
    {"text": ["a b", "b a"], "other": ["c d", "d c"], "label": ["x", "x"], "age": [1, 2], "wave": [[1.0], [2.0]]},
    {"text": "tokens", "other": "tokens", "label": "category", "age": "number", "wave": "number"},
    "rows.csv",
)


@pytest.mark.parametrize(
    ("columns", "target", "inputs", "chosen"),
    [
        (["text", "label", "age"], (), (), "text"),
        (["text", "other"], ("other",), (), "other"),
        (["text", "other"], (), ("other",), "other"),
        (["text", "other"], ("other",), ("other",), "other"),
        (["label", "age"], (), (), "label"),
    ],
)
def test_the_column_of_texts_is_chosen(columns: list[str], target: Any, inputs: Any, chosen: str) -> None:
    table = TABLE.table.select(columns)
    part = sequences(table.to_pydict(), {name: TABLE.kinds[name] for name in columns})
    roles = Fill.roles(Question(part, target, inputs))
    assert (roles.inputs, roles.target, roles.form, roles.kinds) == ((chosen,), chosen, FillIn(), {chosen: "tokens"})


@pytest.mark.parametrize(
    ("target", "inputs", "error", "message"),
    [
        (("age",), (), DataError, "rows.csv, column 'age': is number, but 'fill' only works with texts (name a column of texts"),
        ((), ("wave",), DataError, "rows.csv, column 'wave': is number, but 'fill' only works with texts"),
        (("txt",), (), DataError, "rows.csv, column 'txt': there is no such column"),
        ((), (), UsageError, "'fill' reads one column, not text, other; choose one with target"),
        (("text",), ("other",), UsageError, "'fill' reads one column, not text, other; choose one with"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in_is_named(target: Any, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Fill.roles(Question(TABLE, target, inputs))
    assert message in str(caught.value)


def test_numbers_alone_have_nothing_to_fill_in() -> None:
    numbers = sequences({"age": [1, 2]}, {"age": "number"}, "rows.csv")
    with pytest.raises(DataError, match="rows.csv: has no column of texts or lists of words, which 'fill' needs"):
        Fill.roles(Question(numbers, (), ()))


def test_only_fill_hides_anything(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="^mask only works with the task 'fill'; this run's task is 'next_step'.$"):
        ur.fit({"text": animals(20)}, mask=0.3, steps=1, out=tmp_path / "run")


def test_a_split_of_which_nothing_is_known_cannot_be_judged(tmp_path: Path) -> None:
    (tmp_path / "valid.txt").write_text("zebra neighs")
    with pytest.raises(DataError, match="no validation sequence"):
        ur.fit(
            {"text": animals(20)},
            task="fill",
            steps=1,
            hidden=3,
            valid=str(tmp_path / "valid.txt"),
            out=tmp_path / "run",
        )
    model = ur.fit({"text": animals(20)}, task="fill", steps=1, hidden=3, valid=0, out=tmp_path / "run")
    with pytest.raises(DataError, match="your data: holds nothing that could be scored"):
        model.evaluate({"text": ["zebra neighs"]})


# --- training ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ENCODERS)
def test_context_tells_what_a_unigram_cannot(model: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained = ur.fit(
        {"text": animals(200)},
        task="fill",
        model=model,
        hidden=32,
        batch=32,
        steps=200,
        lr=0.01,
        valid=0.2,
        plan="fixed",
        out=run,
    )
    ours, unigram = trained.metrics["valid"], trained.baselines["valid"]["unigram"]
    assert ours.keys() == unigram.keys() == {"loss_nats_per_token", "accuracy"}
    assert unigram["loss_nats_per_token"] == pytest.approx(math.log(12), abs=0.1)
    assert ours["loss_nats_per_token"] < 0.5 * unigram["loss_nats_per_token"]
    assert ours["accuracy"] > 0.8
    fresh = animals(50, seed=1)
    assert trained.evaluate({"text": fresh}) == ur.load(run).evaluate({"text": fresh})
    filled = trained.predict(["dog _ cow moos", "_ purrs cow moos", "wolf howls duck _"])
    assert filled.column("text_predicted").to_pylist() == [
        "dog barks cow moos",
        "cat purrs cow moos",
        "wolf howls duck quacks",
    ]


@pytest.mark.parametrize(("model", "said"), [("gru", True), ("bigru", False), ("window", False)])
def test_a_model_that_does_not_look_ahead_is_told_of_one_that_does(model: str, said: bool, tmp_path: Path) -> None:
    lines: list[str] = []
    ur.fit({"text": animals(20)}, task="fill", model=model, hidden=3, steps=1, say=lines.append, out=tmp_path / "run")
    line = f"model: {model} reads forward only, so it can stream; to predict hidden tokens from both sides, try model bi{model}"
    assert (line in lines) == said


def test_a_model_that_does_not_look_ahead_streams(tmp_path: Path) -> None:
    model = ur.fit({"text": animals(20)}, task="fill", model="gru", hidden=3, steps=1, out=tmp_path / "run")
    live = model.stream()
    assert live.push("dog")["text_predicted"] == "dog"
    filled = live.push("_")
    assert filled["text_predicted"] in {*SOUNDS, *SOUNDS.values()}
    assert filled["text_p"] == pytest.approx(model.predict(["dog _"]).column("text_p").to_pylist()[0], abs=1e-6)


def test_one_long_text_is_held_out_at_its_end_and_read_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text(" ".join(animals(700)))
    lines: list[str] = []
    model = ur.fit(
        str(tmp_path / "long.txt"),
        task="fill",
        model="bigru",
        hidden=8,
        steps=3,
        say=lines.append,
        out=tmp_path / "run",
    )
    assert "valid: the last 10 % of each sequence" in lines
    assert model.metrics["valid"]["loss_nats_per_token"] < 3


# --- the same steps are hidden -------------------------------------------------------------------------------------


def masks_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[Any]]]:
    """What is asked for in each training step, as it is taken."""
    seen: list[tuple[int, list[Any]]] = []
    take = Trainer._step

    def watched(self: Trainer, loaders: list[Loader]) -> None:
        (loader,) = loaders
        target = loader[self.progress.index].target
        assert target is not None
        seen.append((self.progress.step, target.tolist()))
        take(self, loaders)

    monkeypatch.setattr(Trainer, "_step", watched)
    return seen


def test_a_run_that_was_stopped_hides_what_it_would_have_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"text": animals(40)}
    options: Any = {"task": "fill", "model": "bigru", "hidden": 4, "batch": 8, "epochs": 3, "checkpoint_every": "1"}
    seen = masks_of(monkeypatch)
    ur.fit(data, out=tmp_path / "straight", **options)
    straight = dict(seen)
    seen.clear()

    def stop(event: dict[str, Any]) -> None:
        if event["step"] == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ur.fit(data, out=tmp_path / "run", hooks=(stop,), **options)
    before = len(seen)
    ur.fit(data, out=tmp_path / "run", resume=True)
    assert 0 < before < len(straight)
    assert len(seen) > before
    assert all(target == straight[step] for step, target in seen)
    assert {step for step, _ in seen} == straight.keys()


def test_a_split_that_is_judged_hides_the_same_whatever_the_seed() -> None:
    task = SAMPLES["fill"].ask()
    examples = SAMPLES["fill"].examples(task)
    plans = [evaluation_plan(examples, task.batching, training({"seed": seed})) for seed in (1, 2)]
    one, two = ([b.target.tolist() for b in Loader(examples, plan) if b.target is not None] for plan in plans)
    assert one == two
