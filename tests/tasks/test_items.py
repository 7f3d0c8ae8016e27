"""The ranking of the next item, against a loop over every question and every item."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from configs import model_config, task_options
from samples import sequences, training

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.batches.negatives import negatives
from unrolled.data.encodings.tokens import Tokens
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.errors import UsageError
from unrolled.metrics.scoring import scores
from unrolled.models._mixing import mixed
from unrolled.models.network import Network
from unrolled.solved.unigram import Unigram
from unrolled.tasks.next_step import NextStep
from unrolled.tasks.task import Question
from unrolled.training.evaluate import evaluate
from unrolled.training.plans import evaluation_plan

_dice = np.random.default_rng(0)
ROWS = [[f"i{n}" for n in _dice.integers(0, 150, size)] for size in (1, 5, 9, 2, 7, 30, 30, 30, 30, 40)]


def asked(rows: list[list[str]] = ROWS, first: list[int] | None = None, **options: Any) -> tuple[Any, ...]:
    """Network, task and the examples of ``rows``; of which a network of random weights knows nothing."""
    train = sequences({"item": ROWS}, {"item": "tokens"})
    coder = Preprocessor.fit(
        train,
        NextStep.roles(Question(train, (), ())),
        Preparation({"tokens": Tokens.Options(**options)}, cut=True),
    )
    task = NextStep(task_options("next_step"), coder)
    part = sequences({"item": rows}, {"item": "tokens"})
    examples = coder.encode(part)
    if first is not None:
        object.__setattr__(examples, "first", np.array(first))
    torch.manual_seed(1)
    config = model_config(name="gru", hidden=6, embedding=5)
    network = Network({"item": coder.answer.spec}, config, task.outputs, pooled=False, chosen="item")
    return network.eval(), task, examples


def ids_of(examples: Examples) -> list[list[int]]:
    return [examples.target.values[a:b].tolist() for a, b in pairwise(examples.target.offsets)]


def by_hand(network: Network, rows: list[list[int]], asked_of: list[tuple[int, int]], size: int) -> dict[str, float]:
    """Mean metrics of the questions (row, step of the item), each answered alone."""
    places: dict[str, list[float]] = {"": [], "_sampled": []}
    for row, step in asked_of:
        ids = rows[row]
        with torch.no_grad():
            outputs, _ = network({"item": torch.tensor([ids[:step]])}, torch.tensor([step]))
        scores, right = outputs[0, -1].tolist(), ids[step]
        if right < 3:
            places[""].append(math.inf)
            places["_sampled"].append(math.inf)
            continue
        places[""].append(1 + sum(scores[v] >= scores[right] for v in range(3, size) if v != right))
        held = np.array(ids)
        drawn = negatives(np.array([row]), np.array([step - 1]), np.full(len(ids), row), held, range(3, size))[0]
        assert not set(drawn.tolist()) & set(ids)
        places["_sampled"].append(1 + sum(scores[v] >= scores[right] for v in drawn.tolist()))
    found = {}
    for suffix, values in places.items():
        near = [place <= 10 for place in values]
        found[f"hit_at_10{suffix}"] = sum(near) / len(values)
        gains = [1 / math.log2(1 + place) for place in values if place <= 10]
        found[f"ndcg_at_10{suffix}"] = sum(gains) / len(values)
        found[f"mrr{suffix}"] = sum(1 / place for place in values) / len(values)
    return found


def test_it_is_what_a_loop_over_questions_and_items_finds() -> None:
    rows = [*ROWS[:6], ["i1", "never seen", "i2"]]
    network, task, examples = asked(rows)
    ids = ids_of(examples)
    every = [(row, step) for row, steps in enumerate(ids) for step in range(1, len(steps))]
    expected = by_hand(network, ids, every, task.outputs)
    found = evaluate(network, task, examples, training({"batch": 3}))
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["accuracy"] <= found["hit_at_10"]


def test_of_a_split_at_the_last_step_that_step_alone_is_asked_for() -> None:
    rows = ROWS[1:6]
    first = [len(row) - 1 for row in rows]
    first[3] = len(rows[3])  # held whole by training: nothing is asked of it
    network, task, examples = asked(rows, first)
    ids = ids_of(examples)
    last = [(row, len(steps) - 1) for row, steps in enumerate(ids) if row != 3]
    expected = by_hand(network, ids, last, task.outputs)
    found = evaluate(network, task, examples, training({"batch": 2}))
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    plan = evaluation_plan(examples, task.batching, training({}))
    assert sum(int(batch.lengths.sum()) - int(batch.scored.sum()) for batch in Loader(examples, plan)) == 4


def test_a_long_history_is_read_from_near_its_end() -> None:
    _, task, examples = asked([["i1", "i2"] * 1500], [2999])
    (batch,) = Loader(examples, evaluation_plan(examples, task.batching, training({})))
    assert (int(batch.lengths[0]), int(batch.scored[0])) == (513, 512)


def test_a_model_that_is_always_the_same_finds_nothing() -> None:
    network, task, examples = asked()
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.zero_()
    found = evaluate(network, task, examples, training({}))
    assert found["hit_at_10"] == found["hit_at_10_sampled"] == 0


def test_few_items_have_no_sampled_protocol() -> None:
    data = sequences({"item": [["a", "b", "c"], ["b", "a"]]}, {"item": "tokens"})
    coder = Preprocessor.fit(data, NextStep.roles(Question(data, (), ())), Preparation())
    task = NextStep(task_options("next_step"), coder)
    network = Network({"item": coder.answer.spec}, model_config(hidden=3), task.outputs, pooled=False, chosen="item")
    found = evaluate(network, task, coder.encode(data), training({}))
    assert "hit_at_10" in found
    assert not [name for name in found if "sampled" in name]


def test_the_end_of_a_row_is_asked_for_but_no_item() -> None:
    """Framed rows ask for ``<end>`` too, which the loss counts and the ranking does not."""
    data = sequences({"item": [["a", "b"]]}, {"item": "tokens"})
    coder = Preprocessor.fit(data, NextStep.roles(Question(data, (), ())), Preparation())
    task = NextStep(task_options("next_step"), coder)
    network = Network({"item": coder.answer.spec}, model_config(hidden=3), task.outputs, pooled=False, chosen="item")
    examples = coder.encode(data)
    (batch,) = Loader(examples, evaluation_plan(examples, task.batching, training({})))
    nats, tokens, ranks, length = task.judge(network.eval().run(batch)[0], batch)
    assert (int(nats.count), len(tokens.right), int(length.count), len(ranks.places)) == (3, 3, 3, 2)


def test_the_answer_is_ten_items_the_likeliest_first() -> None:
    network, task, examples = asked()
    with torch.no_grad():
        network.head.bias[:3] = 50.0  # what is no item may be likelier, but is not listed
    (batch,) = Loader(examples, evaluation_plan(examples, task.batching, training({"batch": 64})))
    with torch.no_grad():
        answers = task.answers(network.run(batch)[0], batch)
    for items, chances in zip(answers["item_top"], answers["item_top_p"], strict=True):
        assert len(items) == len(set(items)) == 10
        assert chances == sorted(chances, reverse=True)
        assert all(item.startswith("i") for item in items if item != "<end>")


def test_vectors_that_are_weights_too_are_as_wide_as_the_outputs() -> None:
    _, task, _ = asked()
    specs = {"item": task.coder.answer.spec}
    tied = Network(specs, model_config(hidden=6, tied=True), task.outputs, pooled=False, chosen="item")
    assert tied.columns.output_size == 6
    assert tied.head_weight is tied.columns.embedding_of("item").weight
    assert not [name for name in tied.state_dict() if name == "head.weight"]
    for wrong in ({"embedding": 5}, {"embedding": 0}, {"name": "bigru"}):
        wide = 12 if "name" in wrong else 6
        with pytest.raises(UsageError, match=f"tied needs embeddings as wide as the layer's outputs, {wide}"):
            Network(specs, model_config(**{"hidden": 6, "tied": True, **wrong}), task.outputs, False, chosen="item")


def test_steps_are_the_whole_with_tied_vectors() -> None:
    _, task, _ = asked()
    specs = {"item": task.coder.answer.spec}
    network = Network(specs, model_config(name="gru", hidden=6, tied=True), task.outputs, False, chosen="item").eval()
    ids = torch.tensor([[5, 9, 7, 5]])
    with torch.no_grad():
        whole, _ = network({"item": ids}, torch.tensor([4]))
    live = network.session()
    for step in range(4):
        torch.testing.assert_close(live.push({"item": ids[:, step]}), whole[:, step])


def test_what_was_chosen_of_a_batch_is_what_the_network_gives() -> None:
    network, _, _ = asked()
    batch = Batch({"item": torch.tensor([[4, 5, 6], [7, 8, 0]])}, torch.tensor([3, 2]), torch.arange(2))
    outputs, _ = network(batch.inputs, batch.lengths)
    lazy, _ = network.run(batch)
    real = torch.tensor([[True] * 3, [True, True, False]])
    torch.testing.assert_close(lazy.scores()[real], outputs[real])


def test_mixtures_are_judged_together_as_each_alone() -> None:
    network, task, examples = asked()
    other, _, _ = asked()
    with torch.no_grad():
        other.head.weight.copy_(network.head.weight.flip(0))
    (batch,) = Loader(examples, evaluation_plan(examples, task.batching, training({"batch": 64})))
    with torch.no_grad():
        ours, theirs = (model.run(batch)[0] for model in (network, other))
        together = task.judge_mixtures(ours, theirs, (0.0, 0.3, 1.0), batch)
    for share, answers in zip((0.0, 0.3, 1.0), together, strict=True):
        alone = scores([task.judge(mixed(ours, theirs, torch.tensor(share), "softmax"), batch)])
        assert scores([answers]) == pytest.approx(alone)
    assert scores([together[0]]) == pytest.approx(scores([task.judge(ours, batch)]))
    assert scores([together[2]]) == pytest.approx(scores([task.judge(theirs, batch)]))


def test_popularity_ranks_by_how_often_items_come() -> None:
    _, task, examples = asked()
    values = examples.target.values
    steps = [step for a, b in pairwise(examples.target.offsets) for step in range(a + 1, b)]
    counts = np.bincount(values[steps], minlength=task.outputs)
    model = Unigram.solve(task, examples, Unigram.Options(), 0)
    found = evaluate(model, task, examples, training({"batch": 3}))
    places = [1 + sum(counts[v] >= counts[values[step]] for v in range(3, task.outputs)) - 1 for step in steps]
    assert found["mrr"] == pytest.approx(float(np.mean([1 / place for place in places])))
    nats = [-math.log((counts[values[step]] + 1) / (len(steps) + task.outputs)) for step in steps]
    assert found["loss_nats_per_token"] == pytest.approx(float(np.mean(nats)))
