"""n-grams of text: they learn what decides, stream what they answer, and survive odd data."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, sequences

from unrolled.batch import MISSING, Batch, lengths_of
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.encodings.tokens import Tokens
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.portions import take_rows
from unrolled.data.examples.preparation import Preparation
from unrolled.solved.ngrams_of_text import NgramsOfText
from unrolled.solved.solved_model import SOLVED
from unrolled.state import concatenate, from_bytes, select, to_bytes
from unrolled.tasks.task import Batching, Task
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate
from unrolled.training.plans import evaluation_plan

GOOD, BAD = ["great", "lovely", "superb", "brilliant", "fine"], ["awful", "dreadful", "boring", "weak", "dire"]
OTHER = ["the", "film", "a", "story", "actor", "scene", "plot", "was", "and", "it"]


def reviews(count: int, seed: int = 0, ending: str = "") -> tuple[list[str], list[str]]:
    """Texts of eight words, two of which tell the label."""
    random = np.random.default_rng(seed)
    labels = random.choice(["good", "bad"], count, p=[0.7, 0.3]).tolist()
    texts = []
    for label in labels:
        words = [*random.choice(OTHER, 6), *(w + ending for w in random.choice(GOOD if label == "good" else BAD, 2))]
        texts.append(" ".join(random.permutation(words).tolist()))
    return texts, labels


def ask(columns: dict[str, Any], kinds: dict[str, str], target: str, letters: bool = True, **tokens: Any) -> Sample:
    member = "regress" if kinds[target] == "number" else "classify"
    options = Tokens.Options(letters=letters or None, tokens="words" if letters else None, **tokens)
    return Sample(member, sequences(columns, kinds), (target,), preparation=Preparation({"tokens": options}))


def solved(sample: Sample, **options: Any) -> tuple[NgramsOfText, Task, Any]:
    task = sample.ask()
    train = sample.examples(task)
    assert NgramsOfText.applies(task, train)
    return NgramsOfText.solve(task, train, NgramsOfText.Options(**options), 0), task, train


def texts_and_labels(texts: list[Any], labels: list[Any], letters: bool = True) -> Sample:
    return ask({"text": texts, "label": labels}, {"text": "tokens", "label": "category"}, "label", letters)


def batch_of(train: Examples, rows: list[int]) -> Batch:
    """Some rows as one batch, in this order, padded to the longest."""
    some = take_rows(train, np.array(rows))
    batch = Loader(some, evaluation_plan(some, Batching(), TrainingConfig()))[0]
    order = torch.argsort(batch.rows)
    inputs = {name: x[order] for name, x in batch.inputs.items()}
    return Batch(inputs, batch.lengths[order], torch.arange(len(rows)))


def piece(batch: Batch, begin: int, end: int) -> Batch:
    """Steps ``begin … end`` of one row."""
    steps = batch.lengths[0]
    inputs = {name: x[:, begin:end] if x.dim() > 1 and x.shape[1] == steps else x for name, x in batch.inputs.items()}
    return replace(batch, inputs=inputs, lengths=torch.full_like(batch.lengths, end - begin))


def test_it_answers_rows_with_texts() -> None:
    assert SOLVED.members()["ngrams_of_text"] is NgramsOfText
    found = {name for name, sample in SAMPLES.items() if NgramsOfText.applies((t := sample.ask()), sample.examples(t))}
    assert {"classify", "classify several", "classify several texts"} <= found
    assert not found & {"regress", "tag", "classify a plain row"}


@pytest.mark.parametrize("letters", [False, True])
def test_it_learns_what_decides(letters: bool) -> None:
    sample = texts_and_labels(*reviews(200), letters)
    model, task, _ = solved(sample)
    texts, labels = reviews(300, 1)
    later = task.coder.encode(sequences({"text": texts, "label": labels}, {"text": "tokens", "label": "category"}))
    scores = evaluate(model, task, later, TrainingConfig())
    assert scores["accuracy"] > 0.97 and scores["loss_nats_per_label"] < 0.15


def test_words_that_were_never_seen_are_known_by_their_letters() -> None:
    model, task, _ = solved(texts_and_labels(*reviews(200)))
    texts, labels = reviews(300, 1, ending="ish")
    later = task.coder.encode(sequences({"text": texts, "label": labels}, {"text": "tokens", "label": "category"}))
    assert evaluate(model, task, later, TrainingConfig())["accuracy"] > 0.97


def test_order_counts_in_pairs() -> None:
    random = np.random.default_rng(0)
    label = random.choice(["ab", "ba"], 200).tolist()
    texts = [" ".join([*random.choice(OTHER, 3), *(("no", "yes") if one == "ab" else ("yes", "no"))]) for one in label]
    model, task, train = solved(texts_and_labels(texts, label))
    assert evaluate(model, task, train, TrainingConfig())["accuracy"] > 0.95


def test_characters_and_numbers_and_sets() -> None:
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("acgt"), 30)) for _ in range(300)]
    size = [float(text.count("cg")) for text in texts]
    sample = ask(
        {"x": texts, "y": size},
        {"x": "tokens", "y": "number"},
        "y",
        False,
    )
    sample = replace(sample, preparation=Preparation({"tokens": Tokens.Options(tokens="characters")}))
    model, task, train = solved(sample)
    assert evaluate(model, task, train, TrainingConfig())["r2"] > 0.8
    texts, _ = reviews(200)
    marks = [[w for w in ("film", "plot", "actor") if w in text.split()] for text in texts]
    model, task, train = solved(ask({"x": texts, "y": marks}, {"x": "tokens", "y": "category"}, "y"))
    assert evaluate(model, task, train, TrainingConfig())["micro_f1"] > 0.95


@pytest.mark.parametrize("letters", [False, True])
def test_live_in_chunks_and_at_once_are_the_same(letters: bool) -> None:
    model, _, train = solved(texts_and_labels(*reviews(100), letters))
    for row in (0, 7):
        batch = batch_of(train, [row])
        whole, after = model.run(batch)
        state, steps = model.initial_state(1), int(batch.lengths[0])
        for begin, end in pairwise([0, 1, 2, 5, steps]):
            outputs, state = model.run(piece(batch, begin, end), state)
        assert torch.equal(outputs, whole)
        assert all(torch.equal(a, b) for a, b in zip(state.main, after.main, strict=True))
        live = model.session()
        for t in range(steps):
            outputs = live.push({name: x[:, t] for name, x in batch.inputs.items()})
            live.state = from_bytes(to_bytes(live.state), model.initial_state(1))[0]
        assert torch.equal(outputs, whole)


def test_padding_is_never_read_and_rows_do_not_touch_each_other() -> None:
    texts, labels = reviews(60)
    texts[:4] = ["", "superb", " ".join(texts), "zzz qqq"]
    model, _, train = solved(texts_and_labels(texts, labels))
    batch = batch_of(train, [0, 1, 2, 3, 5])
    outputs, state = model.run(batch)
    real = torch.arange(batch.inputs["text"].shape[1]) < batch.lengths[:, None]
    spoiled = {n: torch.where(real.view(*real.shape, *[1] * (x.dim() - 2)), x, 10**6) for n, x in batch.inputs.items()}
    assert torch.equal(model.run(replace(batch, inputs=spoiled))[0], outputs)
    alone = [model.run(batch_of(train, [row])) for row in (0, 1, 2, 3, 5)]
    assert torch.equal(torch.cat([found for found, _ in alone]), outputs)
    assert torch.equal(outputs[0], model.bias)
    order = torch.tensor([2, 0, 1])
    more = replace(batch_of(train, [7, 8, 9]))
    direct = model.run(more, select(state, order))[0]
    again = model.run(more, concatenate([select(state, order[i : i + 1]) for i in range(3)]))[0]
    assert torch.equal(direct, again)


def test_a_saved_one_is_the_same() -> None:
    sample = texts_and_labels(*reviews(100))
    model, task, train = solved(sample)
    again = NgramsOfText(task, NgramsOfText.Options.check(model.options.model_dump()))
    again.load_state_dict(model.state_dict())
    assert evaluate(again, task, train, TrainingConfig()) == evaluate(model, task, train, TrainingConfig())
    with torch.device("meta"):
        assert NgramsOfText(task, model.options).weight.shape == model.weight.shape
    second, _, _ = solved(sample)
    assert all(
        torch.equal(a, b) for a, b in zip(second.state_dict().values(), model.state_dict().values(), strict=True)
    )


def test_a_title_beside_a_text_is_read_once() -> None:
    texts, labels = reviews(120)
    titles = ["yes" if label == "good" else "no no" for label in labels]
    texts = [" ".join(["x"] * (1 + row % 5)) for row in range(120)]
    columns, kinds = {"title": titles, "body": texts, "label": labels}, {"title": "tokens", "body": "tokens"}
    model, task, train = solved(ask(columns, {**kinds, "label": "category"}, "label"))
    assert any(spec.side for spec in train.specs.values())
    assert evaluate(model, task, train, TrainingConfig())["accuracy"] == 1.0
    batch = batch_of(train, [4])
    whole = model.run(batch)[0]
    beside = {column.name for column in model.texts if column.axis is not None}
    axes = {lengths_of(column.axis) for column in model.texts if column.axis is not None}
    main = {n: x for n, x in batch.inputs.items() if n not in axes and n.split("\0")[0] not in beside}
    one = torch.ones(1, dtype=torch.int64)
    inputs = {n: x[:, :1] if n in main else x for n, x in batch.inputs.items()}
    outputs, state = model.run(replace(batch, inputs=inputs, lengths=one))
    for t in range(1, int(batch.lengths[0])):
        outputs, state = model.step({n: x[:, t] for n, x in main.items()}, state)
    assert torch.equal(outputs, whole)


def test_rows_without_a_target_and_odd_rows_are_left_out() -> None:
    texts, labels = reviews(60)
    task = (sample := texts_and_labels(texts, labels)).ask()
    train = sample.examples(task)
    assert train.target is not None
    values = train.target.values.astype(np.int64)
    values[::3] = MISSING
    train = replace(train, target=Encoded(values, None))
    assert NgramsOfText.solve(task, train, NgramsOfText.Options(), 0).weight.isfinite().all()
    assert not NgramsOfText.applies(task, replace(train, target=Encoded(np.full_like(values, MISSING), None)))


@pytest.mark.parametrize("texts", [["a", ""], ["", ""], ["a", "b", "c"], ["one two"] * 20])
def test_as_little_as_can_be(texts: list[str]) -> None:
    labels = [str(row % 2) for row in range(len(texts))]
    model, task, train = solved(texts_and_labels(texts, labels))
    assert np.isfinite([*evaluate(model, task, train, TrainingConfig()).values()]).all()


def test_no_more_features_than_are_asked_for() -> None:
    model, _, _ = solved(texts_and_labels(*reviews(100)), features=50)
    assert 0 < len(model.keys) <= 50 and (model.keys[1:] > model.keys[:-1]).all()
