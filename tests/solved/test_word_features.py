"""The tagger on features of words learns what decides, streams where it may, and survives odd data."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, sequences

from unrolled.batch import MISSING, Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.encodings.tokens import Tokens
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import take_rows
from unrolled.data.examples.preparation import Preparation
from unrolled.layers.crf import FORBIDDEN
from unrolled.solved.solved_model import SOLVED
from unrolled.solved.word_features import WordFeatures
from unrolled.state import from_bytes, to_bytes
from unrolled.tasks.task import Batching, Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate
from unrolled.training.plans import evaluation_plan

FORMS = [(False, 0), (False, 2), (True, 0), (True, 2)]  # chain, steps ahead


def names(count: int, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences in which names are capitalised words that nobody has heard, of one or two words."""
    random = np.random.default_rng(seed)
    words, tags = [], []
    for _ in range(count):
        row: list[tuple[str, str]] = []
        while len(row) < random.integers(1, 12):
            if random.random() < 0.3:
                some = ["".join(random.choice(list("abcdefghij"), 6)).title() for _ in range(random.integers(1, 3))]
                row += [(word, "I-p" if at else "B-p") for at, word in enumerate(some)]
            row.append((str(random.choice(["the", "of", "and", "in", "12", ",", "saw"])), "O"))
        words.append([word for word, _ in row])
        tags.append([tag for _, tag in row])
    return words, tags


KINDS = {"w": "tokens", "y": "category"}


def ask(words: list[list[str]], tags: list[list[str]], chain: bool = True, letters: bool = True) -> Sample:
    preparation = Preparation({"tokens": Tokens.Options(letters=letters or None)})
    return Sample("tag", sequences({"w": words, "y": tags}, KINDS), ("y",), "", preparation, {"crf": chain})


def solved(sample: Sample, **options: Any) -> tuple[WordFeatures, Task, Examples]:
    task = sample.ask()
    train = sample.examples(task)
    assert WordFeatures.applies(task, train)
    return WordFeatures.solve(task, train, WordFeatures.Options(**options), 0), task, train


def batch_of(train: Examples, rows: list[int]) -> Batch:
    """Some rows as one batch, in this order, padded to the longest."""
    some = take_rows(train, np.array(rows))
    batch = Loader(some, evaluation_plan(some, Batching(), TrainingConfig(), causal=False))[0]
    order = torch.argsort(batch.rows)
    return Batch({name: x[order] for name, x in batch.inputs.items()}, batch.lengths[order], torch.arange(len(rows)))


def test_it_tags_tokens_only() -> None:
    assert SOLVED.members()["word_features"] is WordFeatures
    found = {name for name, sample in SAMPLES.items() if WordFeatures.applies((t := sample.ask()), sample.examples(t))}
    assert found and {SAMPLES[name].task for name in found} == {"tag"}


@pytest.mark.parametrize(("chain", "ahead"), FORMS)
def test_names_that_were_never_seen_are_found_by_their_shape(chain: bool, ahead: int) -> None:
    model, task, _ = solved(ask(*names(80), chain), ahead=ahead)
    words, tags = names(80, 1)
    later = task.coder.encode(sequences({"w": words, "y": tags}, KINDS))
    assert evaluate(model, task, later, TrainingConfig())["entity_f1"] > 0.97
    assert model.causal == (ahead == 0) and (model.cannot_stream is None) == model.causal


def test_a_chain_learns_which_label_follows_which() -> None:
    """Labels stay for a long time, and a word says the label in two of three cases: five words are not enough."""
    random = np.random.default_rng(0)
    tags = [np.repeat(random.choice(["day", "night"], 3), 20).tolist() for _ in range(60)]
    words = [[tag if random.random() < 0.66 else {"day": "night", "night": "day"}[tag] for tag in row] for row in tags]
    scores = {}
    for chain in (False, True):
        model, task, train = solved(ask(words, tags, chain, letters=False))
        scores[chain] = evaluate(model, task, train, TrainingConfig())["accuracy"]
    assert scores[True] > scores[False] + 0.05


def test_what_the_iob2_rules_forbid_never_comes() -> None:
    model, task, train = solved(ask(*names(40)))
    o, inside = task.labels.index("O"), task.labels.index("I-p")
    assert model.bias[o, inside] <= FORBIDDEN and model.bias[len(task.labels), inside] <= FORBIDDEN
    batch = batch_of(train, list(range(10)))
    for tags in task.answers(model.run(batch)[0], batch)["y_predicted"]:
        assert all(tag != "I-p" or before != "O" for before, tag in pairwise(["O", *tags]))


@pytest.mark.parametrize("chain", [False, True])
@pytest.mark.parametrize("letters", [False, True])
def test_live_in_chunks_and_at_once_are_the_same(chain: bool, letters: bool) -> None:
    model, _, train = solved(ask(*names(40), chain, letters), ahead=0)
    row = int(np.argmax(train.steps()))
    batch = batch_of(train, [row])
    whole, after = model.run(batch)
    state, steps, parts = model.initial_state(1), int(batch.lengths[0]), []
    for begin, end in pairwise([0, 1, 2, 5, steps]):
        inputs = {name: x[:, begin:end] for name, x in batch.inputs.items()}
        outputs, state = model.run(replace(batch, inputs=inputs, lengths=torch.tensor([end - begin])), state)
        parts.append(outputs)
    assert torch.equal(torch.cat(parts, 1), whole)
    assert state is not None and torch.equal(state.attributes, after.attributes)
    live, parts = model.session(), []
    for t in range(steps):
        parts.append(live.push({name: x[:, t] for name, x in batch.inputs.items()}))
        live.state = from_bytes(to_bytes(live.state), model.initial_state(1))[0]
    assert torch.equal(torch.stack(parts, 1), whole)


@pytest.mark.parametrize(("chain", "ahead"), FORMS)
def test_padding_is_never_read_and_rows_do_not_touch_each_other(chain: bool, ahead: int) -> None:
    model, _, train = solved(ask(*names(40), chain), ahead=ahead)
    rows = [0, 3, 5, 7]
    batch = batch_of(train, rows)
    outputs = model.run(batch)[0]
    real = torch.arange(outputs.shape[1]) < batch.lengths[:, None]
    spoiled = {n: torch.where(real.view(*real.shape, *[1] * (x.dim() - 2)), x, 10**6) for n, x in batch.inputs.items()}
    assert torch.equal(model.run(replace(batch, inputs=spoiled))[0], outputs)
    assert (outputs[~real] == 0).all()
    for at, row in enumerate(rows):
        assert torch.equal(model.run(batch_of(train, [row]))[0][0], outputs[at][real[at]])


def test_it_does_not_see_the_future_unless_it_may() -> None:
    model, _, train = solved(ask(*names(40)), ahead=0)
    batch = batch_of(train, [int(np.argmax(train.steps()))])
    changed = {name: torch.cat([x[:, :3], x[:, 3:].flip(1)], 1) for name, x in batch.inputs.items()}
    assert torch.equal(model.run(replace(batch, inputs=changed))[0][:, :3], model.run(batch)[0][:, :3])


@pytest.mark.parametrize("chain", [False, True])
def test_a_saved_one_is_the_same(chain: bool) -> None:
    sample = ask(*names(40), chain)
    model, task, train = solved(sample)
    again = WordFeatures(task, WordFeatures.Options.check(model.options.model_dump()))
    again.load_state_dict(model.state_dict())
    assert evaluate(again, task, train, TrainingConfig()) == evaluate(model, task, train, TrainingConfig())
    with torch.device("meta"):
        assert WordFeatures(task, model.options).weight.shape == model.weight.shape
    second, _, _ = solved(sample)
    assert all(
        torch.equal(a, b) for a, b in zip(second.state_dict().values(), model.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("chain", [False, True])
def test_labels_that_are_missing_are_not_learned_from(chain: bool) -> None:
    task = (sample := ask(*names(60), chain)).ask()
    train = sample.examples(task)
    assert train.target is not None
    values = train.target.values.astype(np.int64)
    values[::2] = MISSING
    values[: train.steps()[0]] = MISSING
    part = replace(train, target=Encoded(values, train.target.offsets))
    model = WordFeatures.solve(task, part, WordFeatures.Options(), 0)
    assert evaluate(model, task, train, TrainingConfig())["entity_f1"] > 0.9
    nothing = replace(train, target=Encoded(np.full_like(values, MISSING), train.target.offsets))
    assert not WordFeatures.applies(task, nothing)


@pytest.mark.parametrize("chain", [False, True])
@pytest.mark.parametrize("words", [[["a", "b"]], [["a"], [], ["b"]], [["a", "b", "a"], [], []], [["a", "b"] * 400]])
def test_as_little_or_as_long_as_can_be(words: list[list[str]], chain: bool) -> None:
    tags = [["x" if word == "a" else "y" for word in row] for row in words]
    model, task, train = solved(ask(words, tags, chain))
    scores = evaluate(model, task, train, TrainingConfig())
    assert np.isfinite([*scores.values()]).all()
    if len(words[0]) > 1:
        assert scores["accuracy"] == 1.0


def test_no_more_features_than_are_asked_for() -> None:
    model, _, _ = solved(ask(*names(40)), kept=20)
    assert 0 < len(model.keys) <= 20
