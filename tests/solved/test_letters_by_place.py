"""Letters by place find what stands where, and sum up the same whole, in chunks and live."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from samples import Sample, sequences
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.solved import _places
from unrolled.solved._places import Groups
from unrolled.solved.letters_by_place import LettersByPlace, PlacedState
from unrolled.solved.solved_model import SOLVED
from unrolled.state import from_bytes, to_bytes
from unrolled.tasks.task import Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate

CONFIG = TrainingConfig()
KINDS = {"dna": "symbols", "y": "category"}


def genes(count: int, seed: int, length: int = 24, shift: int = 0) -> dict[str, list[Any]]:
    """Half of them have TATA at the place 10, or up to ``shift`` places further."""
    random = np.random.default_rng(seed)
    letters = random.choice(list("ACGT"), (count, length))
    right = random.integers(0, 2, count).astype(bool)
    for row in np.flatnonzero(right):
        begin = 10 + random.integers(shift + 1)
        letters[row, begin : begin + 4] = list("TATA")
    return {"dna": ["".join(row) for row in letters], "y": ["yes" if one else "no" for one in right]}


def asked(table: dict[str, Any], task: str = "classify", **kinds: str) -> tuple[Task, Examples]:
    sample = Sample(task, sequences(table, {name: (KINDS | kinds)[name] for name in table}), ("y",))
    found = sample.ask()
    return found, sample.examples(found)


def solved(table: dict[str, Any], task: str = "classify", **kinds: str) -> tuple[LettersByPlace, Task, Examples]:
    found, train = asked(table, task, **kinds)
    assert LettersByPlace.applies(found, train)
    return LettersByPlace.solve(found, train, LettersByPlace.Options(), 0), found, train


@cache
def forty() -> tuple[LettersByPlace, Task, Examples]:
    """Solved once for tests that only run it."""
    return solved(genes(40, 0))


def scores(model: LettersByPlace, task: Task, table: dict[str, Any], **kinds: str) -> dict[str, float]:
    return evaluate(model, task, task.coder.encode(sequences(table, KINDS | kinds)), CONFIG)


def test_it_is_a_solved_model_of_rows_of_nearly_one_length() -> None:
    assert SOLVED.members()["letters_by_place"] is LettersByPlace
    assert LettersByPlace.applies(*asked(genes(30, 0)))
    assert not LettersByPlace.applies(*asked(genes(10, 0)))
    longer = genes(20, 0)["dna"] + genes(20, 0, 40)["dna"]
    assert not LettersByPlace.applies(*asked({"dna": longer, "y": ["yes", "no"] * 20}))
    series = {"x": [[1.0] * 20] * 30, "y": ["yes", "no"] * 15}
    assert not LettersByPlace.applies(*asked(series, x="number"))


@pytest.mark.parametrize("shift", [0, 4])
def test_what_stands_at_a_place_or_near_it_is_found(shift: int) -> None:
    model, task, _ = solved(genes(400, 0, shift=shift))
    found = scores(model, task, genes(400, 1, shift=shift))
    assert found["accuracy"] > (0.93 if shift else 0.97)
    assert found["loss_nats_per_label"] < 0.25


def test_labels_by_chance_are_not_answered_with_confidence() -> None:
    table = genes(200, 0) | {"y": np.random.default_rng(1).choice(["yes", "no"], 200).tolist()}
    model, task, _ = solved(table)
    assert scores(model, task, genes(200, 1))["loss_nats_per_label"] < 0.9  # ln 2 is 0.69


def test_a_number_and_a_set_are_answered_too() -> None:
    table = genes(300, 0)
    first = [float("ACGT".index(row[3])) for row in table["dna"]]
    model, task, _ = solved(table | {"y": first}, "regress", y="number")
    later = genes(300, 1)
    right = [float("ACGT".index(row[3])) for row in later["dna"]]
    assert scores(model, task, later | {"y": right}, y="number")["r2"] > 0.8
    several = [[name for name, at in (("a", 3), ("b", 5)) if row[at] in "AC"] for row in table["dna"]]
    model, task, _ = solved(table | {"y": several})
    right_sets = [[name for name, at in (("a", 3), ("b", 5)) if row[at] in "AC"] for row in later["dna"]]
    assert scores(model, task, later | {"y": right_sets})["micro_f1"] > 0.95


def test_live_in_chunks_and_at_once_are_the_same() -> None:
    model, _, train = forty()
    ids = torch.from_numpy(train.inputs["dna"].values[:24].astype(np.int64))[None]

    def one(begin: int, end: int) -> Batch:
        return Batch({"dna": ids[:, begin:end]}, torch.tensor([end - begin]), torch.zeros(1, dtype=torch.int64))

    whole, after = model.run(one(0, 24))
    state = model.initial_state(1)
    for begin, end in pairwise([0, 1, 3, 3, 17, 24]):
        outputs, state = model.run(one(begin, end), state)
    assert torch.allclose(outputs, whole)
    assert torch.equal(state.before, after.before) and torch.equal(state.steps, after.steps)
    live = model.session()
    for step in ids[0]:
        found = live.push({"dna": step[None]})
        kept, _ = from_bytes(to_bytes(live.state), model.initial_state(1))
        live.state = PlacedState(*kept)
    assert torch.allclose(found, whole)
    for _ in range(3):  # beyond the longest row nothing is read
        assert torch.equal(live.push({"dna": ids[0, :1]}), found)


def test_padding_is_never_read_and_rows_do_not_touch_each_other() -> None:
    model, _, train = forty()
    ids = torch.from_numpy(train.inputs["dna"].values[: 5 * 24].astype(np.int64)).view(5, 24)
    lengths = torch.tensor([24, 3, 17, 0, 20])

    def outputs(values: Tensor) -> Tensor:
        return model.run(Batch({"dna": values}, lengths, torch.arange(5)))[0]

    spoiled = torch.where(torch.arange(24) < lengths[:, None], ids, -7)
    assert torch.equal(outputs(ids), outputs(spoiled))
    for row, length in enumerate(lengths.tolist()):
        alone = Batch({"dna": ids[row : row + 1, :length]}, lengths[row : row + 1], torch.zeros(1, dtype=torch.int64))
        assert torch.allclose(model.run(alone)[0][0], outputs(ids)[row])


def test_a_saved_one_is_the_same() -> None:
    model, task, train = forty()
    again = LettersByPlace(task, LettersByPlace.Options.check(model.options.model_dump(mode="json")))
    again.load_state_dict(model.state_dict())
    assert evaluate(again, task, train, CONFIG) == evaluate(model, task, train, CONFIG)
    with torch.device("meta"):
        assert LettersByPlace(task, model.options).weight.shape == model.weight.shape
    second = LettersByPlace.solve(task, train, LettersByPlace.Options(), 0)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in second.state_dict().items())


def test_few_rows_are_solved_as_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a weight for each row in place of each group, of which there are more, to the same answers."""
    losses = []
    for most in (1024, 0):
        monkeypatch.setattr(_places, "_FEW_ROWS", most)
        model, task, _ = solved(genes(60, 0))
        losses.append([scores(model, task, genes(60, seed))["loss_nats_per_label"] for seed in (0, 1)])
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_rows_that_come_again_and_again_are_solved() -> None:
    words = [[("red", "green", "blue")[i * k % 3] for i in range(12)] for k in range(24)]
    table = {"word": words, "y": ["a", "b"] * 12}
    model, task, data = solved(table, word="category")
    assert evaluate(model, task, data, CONFIG)["accuracy"] == 0.5  # rows that are alike have both labels as often


def test_groups_are_numbered_by_place_and_by_the_letters_before() -> None:
    groups = Groups(letters=2, places=3, longest=2)
    ids = torch.tensor([[0, 1, 2, 2], [2, 1, 0, 0]])
    found = groups.numbers(ids, torch.tensor([0, 2]), torch.tensor([3, 2]))
    pairs = 3 * 3  # first come the single letters of three places
    none = groups.size
    assert found[0].tolist() == [[1, pairs + 1], [3 + 2, pairs + 9 + 2 + 3], [6 + 2, pairs + 18 + 2 + 6]]
    assert found[1].tolist() == [[6 + 1, pairs + 18 + 1 + 6], [none, none], [none, none]]
    assert groups.size == 3 * 3 + 3 * 9
