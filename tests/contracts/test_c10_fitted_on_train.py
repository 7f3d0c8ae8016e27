"""C10: encodings are fitted on the training split alone; no window crosses a sequence, and no target a split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from configs import data_config, model_config, task_config
from contracts.runs import RUNS, as_lines, log_of
from samples import SAMPLES, sequences

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.sequences import Sequences
from unrolled.runs.config import RunConfig
from unrolled.runs.splits import Splits, split_up
from unrolled.storage.directories import read_directory
from unrolled.tasks.task import TASKS, Question, make_task
from unrolled.training.config import TrainingConfig
from unrolled.training.plans import evaluation_plan, training_plan

# What is fitted depends on the columns and the target, not on the model or the plan of batches.
_DATA = {(str(run.data), *map(run.options.get, ("target", "task"))): name for name, run in RUNS.items()}.values()


def spoiled(cell: Any) -> Any:
    """The same kind of value, but one that training never saw."""
    if isinstance(cell, list):
        return [spoiled(item) for item in cell]
    if isinstance(cell, str):
        return "Ω" * len(cell) if len(cell) == 1 else "Ω" * (len(cell) - 1) + cell[-1]  # so much may be filled in
    return cell if isinstance(cell, bool) else 1 - cell if cell in (0, 1) else cell * 1000 + 777


def without_learned(file: bytes) -> dict[str, Any]:
    """A file of encodings without what is learned from the validation split on purpose: the width of intervals."""
    found = json.loads(file)
    return {name: value for name, value in found.items() if name not in ("learned", "curves")}


@pytest.mark.parametrize("name", _DATA)
def test_what_is_held_out_changes_no_encoding_and_the_test_split_nothing_at_all(name: str, tmp_path: Path) -> None:
    run = RUNS[name]
    target = run.options.get("target")
    others = {n: column if n == target else spoiled(column) for n, column in run.data.items()}
    plain, odd = as_lines(run.data, tmp_path / "a.jsonl", 8), as_lines(others, tmp_path / "b.jsonl", 8)
    kinds = {column: kind for column, kind in (("keys", "series"), ("text", "tokens")) if column in run.data}
    short = {"steps": 3, "epochs": None, "minutes": None, "kinds": kinds}
    files = {}
    for place, valid, test in (("one", plain, plain), ("two", odd, plain), ("three", plain, odd)):
        run.fit(tmp_path / place, **{**short, "valid": valid, "test": test})
        files[place] = read_directory(tmp_path / place)
    encodings = [file for file in files["one"] if file.startswith("encodings/")]
    assert encodings
    for file in encodings:
        assert files["one"][file] == files["three"][file]
        assert without_learned(files["one"][file]) == without_learned(files["two"][file])
    assert files["one"]["model.safetensors"] == files["three"]["model.safetensors"]
    ours, theirs = (json.loads(files[place]["results.json"])["metrics"] for place in ("one", "three"))
    assert ours["valid"] == theirs["valid"]
    assert ours["test"] != theirs["test"] or target is not None


@pytest.mark.parametrize("options", [{"patience": 1, "steps": 20}, {"steps": 8}])
def test_what_is_held_out_is_learned_at_the_end_but_the_test_split_never(
    options: dict[str, Any], tmp_path: Path
) -> None:
    """The refit: weights that the validation rows change, encodings and validation metrics that they do not."""
    run = RUNS["rows with dropout"]
    others = {"text": spoiled(run.data["text"]), "label": run.data["label"]}
    plain, odd = as_lines(run.data, tmp_path / "a.jsonl"), as_lines(others, tmp_path / "b.jsonl")
    found = {}
    for place, refit, test in (("no", "no", plain), ("yes", "auto", plain), ("odd", "auto", odd)):
        trained = run.fit(tmp_path / place, **options, valid=0.25, test=test, refit=refit, blend=["none"])
        found[place] = read_directory(tmp_path / place), trained
    (no, _), (yes, trained), (other, _) = found.values()
    learned = any(line["kind"] == "refit" and line["kept"] for line in log_of(tmp_path / "yes"))
    assert learned
    assert "learned from this split too" in " ".join(trained.sentences("valid"))
    assert no["model.safetensors"] != yes["model.safetensors"] == other["model.safetensors"]
    for file in (name for name in yes if name.startswith("encodings/")):
        assert no[file] == yes[file] == other[file]
    valid = [json.loads(files["results.json"])["metrics"]["valid"] for files in (yes, other)]
    assert valid[0] == valid[1]
    before = [line for line in log_of(tmp_path / "yes") if line["kind"] == "valid"]
    assert valid[0] in [{name: line[name] for name in valid[0]} for line in before]


# --- windows and targets -----------------------------------------------------------------------------------------


def split_of(data: Any, task: str, **options: Any) -> tuple[Splits, Any, RunConfig]:
    config = RunConfig(
        task=task_config(name=task, **{name: options.pop(name) for name in ("horizon", "lookback") if name in options}),
        data=data_config(valid=0.2, test=0.25),
        model=model_config(),
        training=TrainingConfig(steps=1, batch=3, **options),
    )
    roles = TASKS.get(task).roles(Question(data, (), (), config.task.of("task", task).model_dump()))
    return split_up(data, config, roles, lambda _: None), roles, config


def touched(part: Sequences, coder: Preprocessor, config: RunConfig, training: bool) -> tuple[set[float], set[float]]:
    """Every value that a batch reads, and every value that it is asked for, in scaled units."""
    examples, batching = coder.encode(part), make_task(config.task, coder).batching
    plan = training_plan(examples, batching, config.training, 0) if training else None
    loader = Loader(examples, plan or evaluation_plan(examples, batching, config.training))
    read, asked = set(), set()
    for batch in loader:
        (x,) = batch.inputs.values()
        real = np.arange(x.shape[1]) < batch.lengths.numpy()[:, None]
        read |= set(x.numpy()[real].ravel().tolist())
        assert batch.target is not None
        scored = real if examples.form.predicts_next else np.ones(batch.target.shape[:2], bool)
        asked |= set(batch.target.numpy()[scored].ravel().tolist())
    return read, asked


# A different value at each step, so that a value says which sequence and which step it is.
STEPS = sequences(
    {"x": [[float(n) for n in range(a, b)] for a, b in ((0, 60), (100, 130), (200, 245))]}, {"x": "number"}
)


def test_no_target_crosses_a_split_and_only_the_past_is_read() -> None:
    parts, roles, config = split_of(STEPS, "forecast", horizon=3, lookback=5)
    assert parts.valid is not None
    assert parts.test is not None
    coder = Preprocessor.fit(parts.train, roles, Preparation())
    seen: dict[str, tuple[set[float], set[float]]] = {}
    for name, part in (("train", parts.train), ("valid", parts.valid), ("test", parts.test)):
        read, asked = touched(part, coder, config, name == "train")
        back = {round(float(z * coder.answer.std[0] + coder.answer.mean[0])) for z in read}  # type: ignore[attr-defined]
        ahead = {round(float(z * coder.answer.std[0] + coder.answer.mean[0])) for z in asked}  # type: ignore[attr-defined]
        seen[name] = back, ahead
    borders = {0: (36, 45, 60), 100: (118, 122, 130), 200: (227, 234, 245)}
    for start, (train, valid, end) in borders.items():

        def within(values: set[float], a: int, b: int) -> set[float]:
            return {value for value in values if a <= value < b}

        assert within(seen["train"][1], start, end) == set(range(start + 1, train))
        assert within(seen["valid"][1], start, end) == set(range(train, valid))
        assert within(seen["test"][1], start, end) == set(range(valid, end))
        assert max(within(seen["train"][0], start, end)) < train
        assert min(within(seen["valid"][0], start, end)) == train - 5  # history, but never the other way
        assert max(within(seen["valid"][0], start, end)) < valid


def test_no_window_reaches_into_another_sequence() -> None:
    parts, roles, config = split_of(STEPS, "forecast", horizon=3, lookback=50)
    coder = Preprocessor.fit(parts.train, roles, Preparation())
    mean, std = float(coder.answer.mean[0]), float(coder.answer.std[0])  # type: ignore[attr-defined]
    examples = coder.encode(parts.train)
    for batch in Loader(examples, training_plan(examples, make_task(config.task, coder).batching, config.training, 0)):
        assert batch.target is not None
        for x, length, y in zip(batch.inputs["x"], batch.lengths.tolist(), batch.target, strict=True):
            steps = np.concatenate([x[:length, 0].numpy(), y[:, 0].numpy()]).astype(np.float64) * std + mean
            assert np.allclose(np.diff(steps), 1, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"bptt": 4}])
def test_no_next_step_is_asked_across_a_sequence_or_a_split(options: dict[str, Any]) -> None:
    parts, roles, config = split_of(STEPS, "next_step", **options)
    assert parts.valid is not None
    assert parts.test is not None
    coder = Preprocessor.fit(parts.train, roles, Preparation())
    mean, std = float(coder.answer.mean[0]), float(coder.answer.std[0])  # type: ignore[attr-defined]
    questions: list[set[int]] = []
    for part in (parts.train, parts.valid, parts.test):
        examples, asked = coder.encode(part), set()
        for batch in Loader(
            examples, training_plan(examples, make_task(config.task, coder).batching, config.training, 0)
        ):
            assert batch.target is not None
            for x, y, length in zip(batch.inputs["x"], batch.target, batch.lengths.tolist(), strict=True):
                before, after = (v[:length, 0].double() * std + mean for v in (x, y))
                assert np.allclose(after - before, 1, atol=1e-4)
                asked |= {round(float(value)) for value in after}
        questions.append(asked)
    train, valid, test = questions
    assert not train & valid | valid & test | train & test
    assert len(train | valid | test) == 135 - 3 * 3  # of each part of each sequence the first step is not asked for


def test_of_a_split_at_the_last_step_training_sees_what_is_before_both_and_the_others_ask_for_one() -> None:
    clicks = [[f"{row}{step}" for step in range(length)] for row, length in (("a", 6), ("b", 3), ("c", 2), ("d", 4))]
    data = sequences({"x": clicks}, {"x": "tokens"})
    config = RunConfig(
        task=task_config(name="next_step"),
        data=data_config(valid="last", test="last"),
        model=model_config(),
        training=TrainingConfig(steps=1, batch=3),
    )
    roles = TASKS.get("next_step").roles(Question(data, (), ()))
    parts = split_up(data, config, roles, lambda _: None)
    assert parts.valid is not None
    assert parts.test is not None
    # Encoded by all, so that a value that is seen too early has an id of its own; what training knows is asked below.
    every = Preprocessor.fit(data, roles, Preparation(cut=True))
    seen: dict[str, tuple[set[str], set[str]]] = {}
    batching = make_task(config.task, every).batching
    for name, part in (("train", parts.train), ("valid", parts.valid), ("test", parts.test)):
        examples, training = every.encode(part), name == "train"
        plan = training_plan if training else evaluation_plan
        rest = (0,) if training else ()
        read: set[str] = set()
        asked: set[str] = set()
        for batch in Loader(examples, plan(examples, batching, config.training, *rest)):
            assert batch.target is not None
            first = [0] * len(batch.rows) if batch.scored is None else batch.scored.tolist()
            for x, y, length, begin in zip(batch.inputs["x"], batch.target, batch.lengths.tolist(), first, strict=True):
                read |= set(every.answer.decode(x[:length].numpy()))
                asked |= set(every.answer.decode(y[begin:length].numpy()))
        seen[name] = read, asked
    assert seen["train"] == ({"a0", "a1", "a2", "b0", "c0", "d0"}, {"a1", "a2", "a3", "b1", "c1", "d1"})
    assert seen["valid"] == ({"a0", "a1", "a2", "a3", "d0", "d1"}, {"a4", "d2"})
    assert seen["test"] == ({"a0", "a1", "a2", "a3", "a4", "b0", "b1", "d0", "d1", "d2"}, {"a5", "b2", "d3"})
    assert Preprocessor.fit(parts.train, roles, Preparation(cut=True)).answer.report() == "10 items"


@pytest.mark.parametrize("name", ["classify", "regress", "tag", "next_step"])
def test_a_whole_sequence_is_in_one_split_alone(name: str) -> None:
    sample = SAMPLES[name]
    config = RunConfig(
        task=task_config(name=sample.task, **sample.options),
        data=data_config(valid=0.3, test=0.3),
        model=model_config(),
        training=TrainingConfig(steps=1),
    )
    data = sample.data.take(np.arange(20) % 10)  # of fewer texts than ten, the end of each would be held out
    parts = split_up(data, config, TASKS.get(name).roles(sample.question()), lambda _: None)
    assert parts.valid is not None
    assert parts.test is not None
    rows = [part.rows.tolist() for part in (parts.train, parts.valid, parts.test) if part.rows is not None]
    assert sorted(row for part in rows for row in part) == sorted([*range(10)] * 2)
    assert all(rows)
