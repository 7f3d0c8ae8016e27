"""What was answered to the most similar row."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from samples import SAMPLES, Sample, sequences

from unrolled.batch import Batch
from unrolled.solved.nearest import Nearest
from unrolled.tasks.task import Task


def solved(read: list[str], answers: list[str]) -> tuple[Task, Nearest]:
    table = {"text": [" ".join(text) for text in read], "said": [" ".join(text) for text in answers]}
    sample = Sample("translate", sequences(table, dict.fromkeys(table, "tokens")), ("said",))
    task = sample.ask()
    return task, Nearest.solve(task, sample.examples(task), Nearest.Options(), 0)


def answered(task: Task, model: Nearest, read: list[str]) -> list[str]:
    part = sequences({"text": [" ".join(text) for text in read]}, {"text": "tokens"})
    examples = task.coder.encode(part, with_target=False)
    column = examples.inputs["text"]
    assert column.offsets is not None
    lengths = torch.from_numpy(column.lengths())
    ids = torch.zeros(len(read), max(1, int(lengths.max())), dtype=torch.int64)
    for row, (begin, end) in enumerate(zip(column.offsets[:-1], column.offsets[1:], strict=True)):
        ids[row, : end - begin] = torch.from_numpy(column.values[begin:end].astype("int64"))
    batch = Batch({"text": ids}, lengths, torch.arange(len(read)))
    return [text.replace(" ", "") for text in task.answers(model.run(batch)[0], batch)["said_predicted"]]


def test_the_row_that_shares_the_rarest_symbols_answers() -> None:
    """The letter a is in every row and weighs nothing; d is in one."""
    task, model = solved(["abc", "acd", "abe"], ["x", "y", "z"])
    assert answered(task, model, ["ad", "eb"]) == ["y", "z"]


def test_order_tells_rows_with_the_same_symbols_apart() -> None:
    task, model = solved(["abc", "cba", "d"], ["x", "yy", "z"])
    assert answered(task, model, ["abc", "cba", "abc"]) == ["x", "yy", "x"]


def test_rows_without_anything_known_or_at_all_have_an_answer() -> None:
    task, model = solved(["a", "b"], ["x", "y"])
    assert answered(task, model, ["q", "b"]) == ["x", "y"]
    assert answered(task, model, [""]) == ["x"]


def test_symbols_beyond_a_row_are_not_read() -> None:
    task, model = solved(["ab", "ac"], ["x", "y"])
    ids = torch.from_numpy(
        task.coder.encode(sequences({"text": ["a b", "a c"]}, {"text": "tokens"}), with_target=False)
        .inputs["text"]
        .values.astype("int64")
    ).view(2, -1)
    batch = Batch({"text": ids}, torch.tensor([ids.shape[1]] * 2), torch.arange(2))
    right = model.answers(batch)[0]
    longer = replace(batch, inputs={"text": torch.cat([ids, ids.flip(0)], 1)})
    assert torch.equal(model.answers(longer)[0], right)


def test_it_needs_symbols_to_read() -> None:
    sample = SAMPLES["transcribe"]  # of numbers
    task = sample.ask()
    assert not Nearest.applies(task, sample.examples(task))
    sample = SAMPLES["next_step"]
    task = sample.ask()
    assert not Nearest.applies(task, sample.examples(task))


def test_of_many_rows_some_that_are_evenly_spaced_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.solved.nearest._READ", 2)
    task, model = solved(["ab", "cd", "ef", "gh"], ["w", "x", "y", "z"])
    assert answered(task, model, ["ab", "ef", "gh"]) == ["w", "y", "w"]
